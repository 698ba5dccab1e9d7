/**
 * The live view while a release of ours runs: below the line that says what is done now. Without a terminal it is lines
 * of a log, and where nobody reads, or looking would cost a plan of Terraform's, nothing.
 */
import type { ReleaseRecord } from "../../release/record";
import type { LoadSnapshot } from "../load/messages";
import type { Project } from "../project/project";
import type { Proxies } from "../proxies/proxies";
import { err } from "../terminal/colours";
import type { Progress } from "../terminal/progress";
import { frame } from "./frame";
import { logDirectors } from "./log";
import { Poller } from "./poller";
import { Screen } from "../terminal/screen";

const REDRAW_MS = 250;

export interface LiveView {
  start(): Promise<void>;
  /** What is said from now on looks as if there had been none. Said twice it is as said once. */
  stop(): void;
}

export interface LiveViewProps {
  /** The record that is being applied. */
  readonly record: ReleaseRecord;
  /** Where it says what it does; on a terminal it makes room. */
  readonly progress: Progress;
  /** What the command's own requests meet. @default none are sent */
  readonly measured?: () => LoadSnapshot | null;
}

export function createLiveView(
  project: Project,
  proxies: Proxies,
  { record, progress, measured }: LiveViewProps,
): LiveView {
  let stop = (): void => undefined;
  const startLog = (): void => {
    if (progress.log === undefined || !proxies.reachable) return;
    const ended = new AbortController();
    stop = () => ended.abort();
    void logDirectors(proxies, record, (line) => progress.log?.(line), ended.signal);
  };
  return {
    async start() {
      const { drawOn } = progress;
      if (drawOn === undefined) return startLog();
      const screen = await Screen.open(process.stderr);
      const lookout = new Poller(project, proxies, {
        readRecord: () => record,
        ...(measured === undefined ? {} : { measured }),
      });
      const ended = new AbortController();
      const redraw = setInterval(() => screen.redraw(), REDRAW_MS);
      stop = () => {
        ended.abort();
        clearInterval(redraw);
        drawOn.call(progress, null);
        screen.close({ keep: false });
        stop = () => undefined;
      };
      drawOn.call(progress, screen);
      screen.show((size) => frame(lookout.moment, size, err));
      void lookout.watch(ended.signal, () => screen.redraw());
    },
    stop: () => stop(),
  };
}
