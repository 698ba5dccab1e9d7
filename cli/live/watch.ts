/** `bluegreen status --watch`: what users get, until Ctrl-C. */
import { readRecord } from "../project/project";
import type { Project } from "../project/project";
import type { Proxies } from "../proxies/proxies";
import { out } from "../terminal/colours";
import { frame } from "./frame";
import { Poller } from "./poller";
import type { Snapshot } from "./snapshot";
import { Screen } from "../terminal/screen";
import { clean } from "./lines";
import { summary } from "./summary";

const REDRAW_MS = 250;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface WatchOptions {
  /** One line of JSON per poll. */
  readonly json: boolean;
  readonly intervalSeconds?: number;
}

/** Resolves after Ctrl-C, or if stdout is closed. */
export async function watchStatus(
  project: Project,
  proxies: Proxies,
  { json, intervalSeconds }: WatchOptions,
): Promise<void> {
  const poller = new Poller(project, proxies, {
    readRecord: () => readRecord(project),
    ...(intervalSeconds === undefined ? {} : { intervalSeconds }),
  });
  const ended = new AbortController();
  const end = (): void => ended.abort();
  // Never removed: without a listener, the library that restores the cursor would end the process at a signal.
  for (const signal of SIGNALS) process.on(signal, end);
  // The reader closed the pipe (`| head -1`).
  process.stdout.once("error", end);
  const over = new Promise<void>((resolve) => ended.signal.addEventListener("abort", () => resolve()));
  // Don't wait for the last poll, which may be slow.
  const until = (onPoll: (moment: Snapshot) => void): Promise<void> =>
    Promise.race([over, poller.watch(ended.signal, onPoll)]);
  if (json) await until((moment) => console.log(JSON.stringify(report(moment))));
  else if (process.stdout.isTTY) await drawUntil(poller, until);
  else await until(linesOfChanges());
}

async function drawUntil(poller: Poller, until: (onPoll: () => void) => Promise<void>): Promise<void> {
  const screen = await Screen.open(process.stdout);
  screen.show((size) => frame(poller.moment, size, out));
  const redraw = setInterval(() => screen.redraw(), REDRAW_MS);
  try {
    await until(() => screen.redraw());
  } finally {
    clearInterval(redraw);
    screen.close({ keep: true });
  }
}

/** `status --json`, plus the time and the problems. */
function report({ now, record, proxies, problem }: Snapshot): object {
  const problems = proxies.flatMap((seen) => (seen.status === null ? [seen.problem] : []));
  return {
    at: new Date(now).toISOString(),
    record,
    proxies: proxies.flatMap(({ status }) => status ?? []),
    problems: problem === null ? problems : [problem],
  };
}

/** For a log: a line per change. */
function linesOfChanges(): (moment: Snapshot) => void {
  const printed = new Map<string, string>();
  return ({ now, record, proxies, problem, atWork = true }) => {
    const lines = new Map(proxies.map((seen) => [seen.proxy, summary(seen, { record, atWork })]));
    if (problem !== null) lines.set("", problem);
    else printed.delete("");
    for (const [what, text] of lines) {
      if (printed.get(what) === text) continue;
      printed.set(what, text);
      console.log(`${new Date(now).toISOString()} ${clean(text)}`);
    }
  };
}
