/** Checks the share of `storage.shared`, with the script that each server runs before a release: the site needs it all the time. */
import { join } from "node:path";
import { sharedFolder } from "../../../configuration/naming";
import { requireLocal } from "../../../configuration/platform";
import { EXIT } from "../../../release/exit-code";
import { runLimited } from "../../../system/run-limited";
import type { Project } from "../../project/project";
import { cdktfCommand } from "../../project/cdktf-command";
import { failed, firstLine, ok } from "./check";
import type { Check } from "./check";

const SECONDS = 20;
const ANSWER_SECONDS = 10;
const SCRIPT = join(__dirname, "..", "..", "..", "on-server", "install", "check-shared-storage.sh");

/** Only on the local platform: Azure's share has no public side. */
export function sharedStorageCheck({ folder, environment }: Project): Check[] {
  const { storage } = environment;
  if (storage === undefined || environment.platform.kind !== "local") return [];
  const share = sharedFolder(requireLocal(environment, "the shared folder"));
  return [
    {
      name: "shared storage",
      seconds: SECONDS,
      async run() {
        const { exitCode, stderr } = await runLimited("bash", [SCRIPT], {
          seconds: SECONDS,
          env: {
            ...process.env,
            SERVER_NAME: "doctor",
            SHARED_FOLDER: join(folder, share),
            SHARED_PATHS_BASE64: Buffer.from(storage.shared.join("\n")).toString("base64"),
            SHARED_TIMEOUT_SECONDS: String(ANSWER_SECONDS),
          },
        });
        return exitCode === EXIT.done
          ? ok(`${share} with ${storage.shared.join(", ")}`)
          : failed(
              firstLine(stderr).replace(/^check: /, ""),
              `make the folder available: instances that run answer with errors where they need it; if base never created it, \`${cdktfCommand("deploy base")}\``,
            );
      },
    },
  ];
}
