/**
 * A machine that can run a script once. Blue/green deployment needs nothing else of a platform: to support another one,
 * implement this interface.
 */
import type { ITerraformDependable } from "cdktf";
import type { Construct } from "constructs";

/**
 * One execution of a script on a server. It succeeds only if the script exits with 0 and its last line on stdout is its
 * result: one JSON object with an "outcome". Exit code 0 alone proves nothing: half a script can exit with it, too.
 */
export interface RunProps {
  /**
   * The name of this execution. The step runs when it changes. Never use a name twice on a server.
   * 2 to 80 characters of `a-z A-Z 0-9 . _ -` (the limit of Azure's run commands).
   */
  readonly name: string;
  /**
   * Path of the script: bash, or PowerShell on Windows. Ship it as a file (`shippedFile`), so that Terraform does not
   * interpret its text.
   */
  readonly script: string;
  /**
   * The script's environment variables, unchanged: one line each, any printable characters, also the empty text. The
   * server adds `SERVER_FOLDER`, its absolute and permanent folder, and `SERVER_NAME`. No secrets: plan and state would
   * contain them.
   */
  readonly parameters: Readonly<Record<string, string>>;
  /** After this time the script is stopped (SIGTERM first, so that it can clean up), and the step fails. In seconds. */
  readonly timeoutSeconds: number;
  readonly dependsOn: ITerraformDependable[];
  /** False: this record does not need the step. It does not run; its place in the graph stays. @default true */
  readonly needed?: boolean;
}

/**
 * A machine that runs scripts. For the contract see docs/library.md, "A custom server". examples/custom-server implements
 * it over any command that reads a script on stdin, such as ssh.
 */
export interface Server {
  /** Unique among the servers of an environment. */
  readonly name: string;
  /** Adds one step to the stack. A new version of the library alone must not run it again. */
  run(scope: Construct, id: string, props: RunProps): ITerraformDependable;
}

const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,78}[A-Za-z0-9]$/;

/** For custom servers. @throws Error if a platform would refuse the name. */
export function requireRunName(name: string): void {
  if (!NAME_PATTERN.test(name)) {
    throw new Error(`'name' (${JSON.stringify(name)}) must be 2 to 80 characters of a-z A-Z 0-9 . _ -`);
  }
}
