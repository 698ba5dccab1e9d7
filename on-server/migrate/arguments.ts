/** Parses and checks the migrator's arguments: a command, the folder of its server, and the spec of a step. */
import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve as absolute } from "node:path";
import { parseArgs } from "node:util";
import * as z from "zod/mini";
import { MigrateSpec } from "../../release/migrate-spec";
import { InvalidInput } from "../../release/failure";
import { ScriptName } from "../../release/release";
import { quote } from "../../release/text";
import { describeIssues } from "../../release/validation";
import { writeAtomically } from "../../system/atomic-file";
import type { Resolution } from "./databases/database";

const SPEC_FILE = "migrate-spec";
export const USAGE = `migrate run|plan|status|resolve --folder <folder>

  run      apply the pending scripts, in order
  plan     print the pending scripts, and change nothing
  status   print the status of each script in the journal and the bundle, and change nothing
  resolve  <script> --as applied|pending
           record the outcome of a script without a transaction that was interrupted

  --folder <folder>   where the last step left its spec
  --spec <base64>     the spec itself
  --as <outcome>      applied: its changes are complete; pending: they were removed, and it runs again

Exit codes: 0 done, 1 unexpected, 2 bad input, 3 refused (nothing was changed), 4 a script failed (traffic untouched)`;

const COMMANDS = ["run", "plan", "status", "resolve"] as const;

export interface Arguments {
  readonly command: (typeof COMMANDS)[number];
  readonly folder: string;
  readonly spec: MigrateSpec;
  readonly script: string;
  readonly as: Resolution;
}

/**
 * The spec of a step that runs stays in the folder, for the commands after it.
 * @returns null for --help. @throws InvalidInput
 */
export function readArguments(): Arguments | null {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        spec: { type: "string" },
        folder: { type: "string", default: "." },
        as: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new InvalidInput(`${(error as Error).message}; see --help`);
  }
  const { values, positionals } = parsed;
  if (values.help === true) {
    return null;
  }
  const [command, script = "", ...rest] = positionals;
  if (rest.length > 0 || !isCommand(command)) {
    throw new InvalidInput(
      `the command must be ${COMMANDS.slice(0, -1).join(", ")} or resolve, not ${quote(positionals.join(" "))}; see --help`,
    );
  }
  const { as } = values;
  if (
    command === "resolve" &&
    ((as !== "applied" && as !== "pending") || !ScriptName.safeParse(script).success)
  ) {
    throw new InvalidInput("resolve needs a script's name and --as applied or --as pending");
  }
  const folder = absolute(values.folder);
  const file = join(folder, SPEC_FILE);
  if (values.spec !== undefined) {
    const spec = readSpec(values.spec);
    mkdirSync(folder, { recursive: true });
    if (command === "run") writeAtomically(file, values.spec);
    return { command, folder, spec, script, as: as as Arguments["as"] };
  }
  try {
    return { command, folder, spec: readSpec(readFileSync(file, "utf8")), script, as: as as Arguments["as"] };
  } catch (error) {
    if (error instanceof InvalidInput) throw error;
    throw new InvalidInput(`${file} can't be read: no migration has run there yet`);
  }
}

function isCommand(word: string | undefined): word is Arguments["command"] {
  return (COMMANDS as readonly (string | undefined)[]).includes(word);
}

function readSpec(text: string): MigrateSpec {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(text, "base64").toString("utf8"));
  } catch {
    throw new InvalidInput("the spec is not base64 JSON");
  }
  const parsed = z.safeParse(MigrateSpec, json);
  if (!parsed.success) throw new InvalidInput(`the spec: ${describeIssues(parsed.error)}`);
  return parsed.data;
}
