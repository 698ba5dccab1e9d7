/** completion: a shell's completion script, and the hidden command that it calls. */
import type { Command } from "commander";

export function addCompletion(program: Command): void {
  program
    .command("completion")
    .argument("<shell>", "bash, zsh or fish")
    .description(`print a shell's completion script, as in: eval "$(bluegreen completion bash)"`)
    .action(async (shell: string) => {
      const { completionScript } = await import("../setup/completion.js");
      process.stdout.write(completionScript(shell));
    });

  program
    .command("__complete", { hidden: true })
    .argument("[words...]")
    .action(async (words: string[]) => {
      const { suggest } = await import("../setup/completion.js");
      for (const line of suggest(program, words)) console.log(line);
    });
}
