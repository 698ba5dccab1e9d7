/** preview: a secret with which people see a release before it gets traffic. */
import type { Command } from "commander";
import { formatPreview, newPreview } from "../project/preview";

export function addPreview(program: Command): void {
  program
    .command("preview")
    .description("make a secret with which people see a release before it gets traffic")
    .option("--json", "print it as JSON on stdout")
    .action(({ json }: { json?: boolean }) => {
      const made = newPreview();
      console.log(json === true ? JSON.stringify(made, null, 2) : formatPreview(made));
    });
}
