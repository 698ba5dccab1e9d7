/**
 * The live view of a release that this command runs, below the progress line. Without a terminal it prints log lines;
 * nothing with --json, or if a poll would need a Terraform plan (Azure).
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
  /** Removes the view from the terminal. Idempotent. */
  stop(): void;
}

export interface LiveViewProps {
  /** The record that is being applied. */
  readonly record: ReleaseRecord;
  /** The progress output; on a terminal it draws on the view's screen. */
  readonly progress: Progress;
  /** The results of the command's synthetic requests. @default none are sent */
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
      const poller = new Poller(project, proxies, {
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
      screen.show((size) => frame(poller.moment, size, err));
      void poller.watch(ended.signal, () => screen.redraw());
    },
    stop: () => stop(),
  };
}
