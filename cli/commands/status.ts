/** status: what users get now, or continuously with --watch. */
import { EXIT } from "../../release/exit-code";
import { InvalidInput } from "../../release/failure";
import type { Command } from "commander";
import { proxyPlaces } from "../../configuration/naming";
import { isLocal } from "../../configuration/platform";
import type { ReleaseRecord } from "../../release/record";
import { readRecord } from "../project/project";
import type { Project } from "../project/project";
import { hasReceipt, readReceipt } from "../receipts/receipt-store";
import { requireAll } from "../proxies/proxies";
import { proxiesOf } from "../proxies/proxies-of";
import { contradiction, notKnown } from "../live/users";
import type { ProxyStatus } from "../../release/director-status";
import { watchStatus } from "../live/watch";
import { SILENT } from "../terminal/progress";
import { formatStatus } from "../live/status";
import type { StatusContext } from "../live/status";
import { common, findTools, open } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";

const SHORTEST_SECONDS = 0.2;
const LONGEST_SECONDS = 3_600;

interface StatusOptions extends CommonOptions {
  readonly watch?: boolean;
  readonly interval?: string;
}

export function addStatus(program: Command): void {
  common(program.command("status"))
    .description("show what users get, by slot")
    .option("--watch", "refresh until Ctrl-C: in place on a terminal, otherwise one line per change")
    .option("--interval <seconds>", "with --watch: the time between updates; default: 1, on Azure 15")
    .action(async (options: StatusOptions) => {
      const intervalSeconds = parseInterval(options);
      const project = open(options);
      const record = readRecord(project);
      const terraform = async () => (await findTools(SILENT)).terraform;
      const proxies = proxiesOf(project, terraform);
      if (options.watch === true) {
        const json = options.json === true;
        await watchStatus(project, proxies, { json, ...(intervalSeconds && { intervalSeconds }) });
        // Don't wait for the last poll: it takes seconds on Azure.
        process.exit(0);
      }
      const survey = await proxies.survey(record);
      const { statuses, silent, unknown } = survey;
      if (statuses.length === 0) requireAll(survey);
      const unreachable = silent.length === 0 ? {} : { unreachable: silent };
      console.log(
        options.json
          ? JSON.stringify(
              {
                record,
                proxies: statuses.map(withDoubt(record)),
                ...unreachable,
                ...(unknown && { unknown }),
              },
              null,
              2,
            )
          : formatStatus(record, survey, contextOf(project, record)),
      );
      if (statuses.some((status) => contradiction(status) !== null)) process.exitCode = EXIT.unexpected;
    });
}

/** With `notKnown`, if it is not known what users of this proxy get now. */
function withDoubt(record: ReleaseRecord) {
  return (status: ProxyStatus): object => {
    const why = notKnown(record, status);
    return why === null ? status : { ...status, notKnown: why };
  };
}

function contextOf(project: Project, { sequence }: ReleaseRecord): StatusContext {
  const { environment } = project;
  const addresses = isLocal(environment)
    ? proxyPlaces(environment).map(({ host, port }) => `http://${host}:${port}/`)
    : [];
  if (!hasReceipt(project, sequence)) return { addresses, failure: null };
  const { exitCode, outcome, reason } = readReceipt(project, sequence);
  return { addresses, failure: exitCode === 0 ? null : `it failed (${outcome}): ${reason}` };
}

function parseInterval({ watch, interval }: StatusOptions): number | undefined {
  if (interval === undefined) return undefined;
  if (watch !== true) throw new InvalidInput("--interval needs --watch");
  const seconds = /^\d+(\.\d+)?$/.test(interval) ? Number(interval) : NaN;
  if (seconds >= SHORTEST_SECONDS && seconds <= LONGEST_SECONDS) return seconds;
  throw new InvalidInput(
    `--interval is "${interval}" but must be from ${SHORTEST_SECONDS} to ${LONGEST_SECONDS} seconds`,
  );
}
