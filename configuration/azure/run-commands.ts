/**
 * The run commands that Azure keeps on a server. A command that failed may be in no state: azurerm forgets it from 4.75 on
 * without the feature in azurerm.ts, and Terraform if it is killed. Nothing removes such a left-over.
 */

/** Base's set-up of a machine begins with this, also in result-line.sh; all others are steps of a release. */
export const SETUP_PREFIX = "setup-";

/** @param id Azure's resource id of a run command, or its name. */
export function isSetup(id: string): boolean {
  return nameOf(id).startsWith(SETUP_PREFIX);
}

/** Azure refuses the next one. Source: https://learn.microsoft.com/azure/virtual-machines/run-command-overview */
export const MOST_RUN_COMMANDS = 25;
/** A release needs up to four on one server beside those that it replaces; from here on left-overs are worth removing. */
const MANY_RUN_COMMANDS = 18;

/** The run commands on one server. */
export interface ServerCommands {
  readonly server: string;
  /** Azure's resource id of each. */
  readonly ids: readonly string[];
}

/** What is wrong on a server, in a sentence, and what to run. */
export interface RunCommandFinding {
  /** Azure takes no further command, or hardly one. */
  readonly isFull: boolean;
  readonly found: string;
  readonly mend: string;
}

/**
 * Compares what servers have with what the states know.
 * @param known Azure's ids of the run commands in the states of base and web.
 * @returns nothing if each command is known and no server is near its limit.
 */
export function judgeRunCommands(
  servers: readonly ServerCommands[],
  known: readonly string[],
): readonly RunCommandFinding[] {
  const inState = new Set(known.map((id) => id.toLowerCase()));
  return servers.flatMap(({ server, ids }) => {
    const unknown = ids.filter((id) => !inState.has(id.toLowerCase()));
    const isFull = ids.length >= MOST_RUN_COMMANDS;
    const isNear = ids.length >= MANY_RUN_COMMANDS;
    if (unknown.length === 0 && !isNear) return [];
    const all = `${server} has ${ids.length} of at most ${MOST_RUN_COMMANDS} run commands`;
    if (unknown.length === 0) {
      return [{ isFull, found: all, mend: "`bluegreen abort` removes those of failed applies" }];
    }
    return [
      {
        isFull,
        found: `${all}, ${unknown.length} of which no state knows: ${unknown.map(nameOf).join(", ")}`,
        mend: `when no release runs: \`${removalOf(unknown)}\``,
      },
    ];
  });
}

/** The command that removes run commands from their server; what they did stays. */
export function removalOf(ids: readonly string[]): string {
  return `az resource delete --ids ${ids.join(" ")}`;
}

/** The last part of a resource id. */
export function nameOf(id: string): string {
  return id.split("/").at(-1) ?? id;
}
