/** What an operator can request: one transition of the record. It can run, or only be planned. */
import type { Command } from "commander";
import type { Operation } from "../deployment/operation";
import type { CommonOptions } from "./common";
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
  /** A way without Terraform, which can't be planned. */
  readonly withoutTerraform?: {
    declare(command: Command): Command;
    /** @returns whether the options asked for it; then all is done. */
    carriedOut(options: CommonOptions): Promise<boolean>;
  };
}
