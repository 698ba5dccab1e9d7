/** preview: a secret that shows its holder a release before it gets traffic. */
import type { Command } from "commander";
import { formatPreview, newPreview } from "../project/preview";

export function addPreview(program: Command): void {
  program
    .command("preview")
    .description("create a secret that shows its holder a release before it gets traffic")
    .option("--json", "print it as JSON on stdout")
    .action(({ json }: { json?: boolean }) => {
      const preview = newPreview();
      console.log(json === true ? JSON.stringify(preview, null, 2) : formatPreview(preview));
    });
}
