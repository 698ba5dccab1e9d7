/** `bluegreen status --watch`: what users get, until somebody presses Ctrl-C. */
import { readRecord } from "../project/project";
import type { Project } from "../project/project";
import type { Proxies } from "../proxies/proxies";
import { out } from "../terminal/colours";
import { frame } from "./frame";
import { Poller } from "./poller";
import type { Snapshot } from "./snapshot";
import { Screen } from "../terminal/screen";
import { clean } from "./lines";
import { summary } from "./words";

const REDRAW_MS = 250;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface WatchOptions {
  /** One JSON document a line, one line a look. */
  readonly json: boolean;
  readonly intervalSeconds?: number;
}

/** Resolves once somebody asked for the end. */
export async function watchStatus(
  project: Project,
  proxies: Proxies,
  { json, intervalSeconds }: WatchOptions,
): Promise<void> {
  const lookout = new Poller(project, proxies, {
    readRecord: () => readRecord(project),
    ...(intervalSeconds === undefined ? {} : { intervalSeconds }),
  });
  const ended = new AbortController();
  const end = (): void => ended.abort();
  // They stay: whoever restores the cursor would take a signal that nobody listens to any more for the end.
  for (const signal of SIGNALS) process.on(signal, end);
  // Whoever reads has read enough (`| head -1`).
  process.stdout.once("error", end);
  const over = new Promise<void>((resolve) => ended.signal.addEventListener("abort", () => resolve()));
  // A look may take its time; nobody waits for the last one.
  const until = (onPoll: (moment: Snapshot) => void): Promise<void> =>
    Promise.race([over, lookout.watch(ended.signal, onPoll)]);
  if (json) await until((moment) => console.log(JSON.stringify(report(moment))));
  else if (process.stdout.isTTY) await drawUntil(lookout, until);
  else await until(linesOfChanges());
}

async function drawUntil(lookout: Poller, until: (onLook: () => void) => Promise<void>): Promise<void> {
  const screen = await Screen.open(process.stdout);
  screen.show((size) => frame(lookout.moment, size, out));
  const redraw = setInterval(() => screen.redraw(), REDRAW_MS);
  try {
    await until(() => screen.redraw());
  } finally {
    clearInterval(redraw);
    screen.close({ keep: true });
  }
}

/** As `status --json`, with the time, and with what could not be asked. */
function report({ now, record, proxies, problem }: Snapshot): object {
  const problems = proxies.flatMap((seen) => (seen.status === null ? [seen.problem] : []));
  return {
    at: new Date(now).toISOString(),
    record,
    proxies: proxies.flatMap(({ status }) => status ?? []),
    problems: problem === null ? problems : [problem],
  };
}

/** For a log: a line where something changed, and else none. */
function linesOfChanges(): (moment: Snapshot) => void {
  const said = new Map<string, string>();
  return ({ now, record, proxies, problem, atWork = true }) => {
    const lines = new Map(proxies.map((seen) => [seen.proxy, summary(seen, { record, atWork })]));
    if (problem !== null) lines.set("", problem);
    else said.delete("");
    for (const [what, text] of lines) {
      if (said.get(what) === text) continue;
      said.set(what, text);
      console.log(`${new Date(now).toISOString()} ${clean(text)}`);
    }
  };
}
