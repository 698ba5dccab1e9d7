/**
 * The port to a machine that can run a script once. Blue/green deployment needs nothing else of a platform, so
 * an own implementation of this interface is all it takes to release onto something else.
 */
import type { ITerraformDependable } from "cdktf";
import type { Construct } from "constructs";

/**
 * One execution of a script on a server. It succeeds only if the script ends with 0 and its last line on stdout is its
 * result: one JSON object with an "outcome". Exit code 0 alone proves nothing, as half a script ends with it, too.
 */
export interface RunProps {
  /**
   * Names this execution: the step runs when its name changes, and a name is never used twice on a server.
   * 2 to 80 characters of `a-z A-Z 0-9 . _ -` (the limit of Azure's run commands).
   */
  readonly name: string;
  /**
   * Path of the script to run: bash, or PowerShell on Windows. Ship it as a file (`shippedFile`), so that Terraform does
   * not interpret what is in it.
   */
  readonly script: string;
  /**
   * Reach the script as environment variables, unchanged: one line each, any printable characters, also none at all.
   * Besides these the server gives it `SERVER_FOLDER`, an absolute folder of its own that stays, and `SERVER_NAME`. No
   * secrets: they would be in the plan and in the state.
   */
  readonly parameters: Readonly<Record<string, string>>;
  /** The script is stopped after this time (SIGTERM first: it puts things right), and the step fails. In seconds. */
  readonly timeoutSeconds: number;
  /** What the step waits for. */
  readonly dependsOn: ITerraformDependable[];
  /** A step that is not needed by this record has no execution; its place in the graph stays. @default true */
  readonly needed?: boolean;
}

/**
 * A machine that runs scripts. The contract of an own one is in docs/library.md, "A custom server"; examples/custom-server
 * keeps it over any command that reads a script on stdin, such as ssh.
 */
export interface Server {
  /** Unique among the servers of an environment. */
  readonly name: string;
  /** Adds one step to the stack. Another library version alone must not run it again. */
  run(scope: Construct, id: string, props: RunProps): ITerraformDependable;
}

const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,78}[A-Za-z0-9]$/;

/** For own servers. @throws Error where a platform would refuse the name. */
export function requireRunName(name: string): void {
  if (!NAME_PATTERN.test(name)) {
    throw new Error(`'name' (${JSON.stringify(name)}) must be 2 to 80 characters of a-z A-Z 0-9 . _ -`);
  }
}
