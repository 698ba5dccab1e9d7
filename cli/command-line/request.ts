/** What an operator can request: one transition of the record. It can run, or only be planned. */
import type { Command } from "commander";
import type { Operation } from "../deployment/operation";
import type { Tools } from "../deployment/tools";
import type { Project } from "../project/project";

export interface Request {
  readonly name: string;
  readonly description: string;
  /** Adds the request's arguments and options. */
  declare(command: Command): Command;
  /** @param args and @param options as commander read them. */
  operation(
    project: Project,
    tools: Tools,
    args: readonly unknown[],
    options: never,
  ): Operation | Promise<Operation>;
}
