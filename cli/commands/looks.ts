/** status: what users get now. */
import type { Command } from "commander";
import { readRecord } from "../project/project";
import { proxiesOf } from "../proxies/proxies";
import { SILENT } from "../terminal/progress";
import { formatStatus } from "../terminal/status";
import { common, findTools, open } from "./command-line";
import type { CommonOptions } from "./command-line";

export function addLooks(program: Command): void {
  common(program.command("status"))
    .description("show what users get, slot by slot")
    .action(async (options: CommonOptions) => {
      const project = open(options);
      const record = readRecord(project);
      const terraform = async () => (await findTools(SILENT)).terraform;
      const statuses = await proxiesOf(project, terraform).statuses(record);
      console.log(
        options.json
          ? JSON.stringify({ record, proxies: statuses }, null, 2)
          : formatStatus(record, statuses),
      );
    });
}
