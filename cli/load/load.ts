/**
 * The load in the measuring command: starts the process that sends the requests (`worker.ts`), sends it the begin and end
 * of steps, and receives their counts.
 *
 *     start -> (beginStep -> endStep)* -> stop
 *
 * Requests continue between steps; they count in the totals only.
 */
import { fork, type ChildProcess } from "node:child_process";
import { extname, join } from "node:path";
import type { Command, LoadSnapshot, LoadTotals, Reply, StepRequests } from "./messages";
import { parseLoadPlan, type LoadPlanInput } from "./plan";
import { Timeline, timelinePoint } from "./timeline";
import type { TimelinePoint } from "../../release/receipt";

export interface LoadProps {
  /** The file that the worker process runs. @default the worker next to this file */
  readonly workerEntry?: string;
  /** Its Node.js options, such as a loader for TypeScript. @default those of this process */
  readonly execArgv?: readonly string[];
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;

const NOTHING_YET: LoadSnapshot = {
  sent: 0,
  failed: 0,
  inFlight: 0,
  lastSecond: null,
};

export class Load {
  readonly #props: LoadProps;
  readonly #waiting = new Map<number, Waiting>();
  #worker: ChildProcess | undefined;
  #exited: Promise<void> | undefined;
  #ended: Error | undefined;
  #stopped: Promise<LoadTotals> | undefined;
  #lastId = 0;
  #snapshot = NOTHING_YET;
  readonly #timeline = new Timeline();
  #errorOutput = "";

  constructor(props: LoadProps = {}) {
    this.#props = props;
  }

  /** The worker process, once started. */
  get workerPid(): number | undefined {
    return this.#worker?.pid;
  }

  /**
   * Starts the process and its requests; resolves when the first is sent. Refuses an invalid plan. An origin that does
   * not answer is not refused: its requests fail and are counted.
   */
  async start(input: LoadPlanInput): Promise<void> {
    if (this.#worker !== undefined) throw new Error("the load has already been started");
    const plan = parseLoadPlan(input);
    const entry = this.#props.workerEntry ?? join(__dirname, `worker${extname(__filename)}`);
    const worker = fork(entry, [], {
      // Omitted rather than copied: Node.js then omits `--eval` from this process's options.
      ...(this.#props.execArgv !== undefined && { execArgv: [...this.#props.execArgv] }),
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#worker = worker;
    worker.stderr?.on("data", (chunk: Buffer) => {
      this.#errorOutput = (this.#errorOutput + chunk.toString()).slice(-8_000);
    });
    worker.on("message", (reply) => this.#receive(reply as Reply));
    worker.on("error", (error) => this.#fail(error.message));
    // Not "close": it does not come after a disconnect by the parent. Wait for the end of the error stream.
    const outputEnded = new Promise((resolve) => worker.stderr?.once("close", resolve));
    this.#exited = new Promise((resolve) => {
      worker.once("exit", (code, signal) => {
        void outputEnded.then(() => {
          this.#fail(signal ?? `exit code ${code}`);
          resolve();
        });
      });
      // A process that could not be started does not exit.
      worker.once("error", () => worker.pid === undefined && resolve());
    });
    await this.#send({ command: "start", plan });
  }

  /** Requests due from now on belong to the step `name`. Refused until the previous step has ended. */
  async beginStep(name: string): Promise<void> {
    await this.#send({ command: "beginStep", name });
  }

  /**
   * Ends the step now. Resolves to its counts once all its requests have ended, within the plan's time limit. Requests
   * continue meanwhile, and the next step may begin without waiting for this.
   */
  async endStep(): Promise<StepRequests> {
    return (await this.#send({ command: "endStep" })) as StepRequests;
  }

  /** For a progress line. At most a second old. */
  snapshot(): LoadSnapshot {
    return this.#snapshot;
  }

  /** The timeline so far, in at most 600 points; complete once the load has stopped. */
  timeline(): TimelinePoint[] {
    return this.#timeline.points();
  }

  /**
   * Stops sending requests, waits for those in flight, then checks every acknowledged POST and ends the process. The counts
   * of a step that has not ended are in the totals only.
   */
  stop(): Promise<LoadTotals> {
    this.#stopped ??= (async () => {
      const totals = (await this.#send({ command: "stop" })) as LoadTotals;
      this.#ended ??= new Error("the load has been stopped");
      this.#worker?.disconnect();
      await this.#exited;
      return totals;
    })();
    return this.#stopped;
  }

  /** Ends the process at once, without counts, to cancel a measurement. */
  async kill(): Promise<void> {
    this.#ended ??= new Error("the load has been cancelled");
    this.#worker?.kill("SIGKILL");
    await this.#exited;
  }

  #send(command: WithoutId<Command>): Promise<unknown> {
    const worker = this.#worker;
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (worker === undefined) return Promise.reject(new Error("the load has not been started"));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      // If sending fails, the process has ended; its "exit" event has the cause.
      worker.send({ ...command, id }, () => undefined);
    });
  }

  #receive(reply: Reply): void {
    if (reply.type === "progress") {
      const { sent, failed, inFlight, period } = reply;
      this.#snapshot = { sent, failed, inFlight, lastSecond: timelinePoint(period) };
      this.#timeline.add(period);
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.type === "done") waiting?.resolve(reply.result);
    else waiting?.reject(new Error(reply.reason));
  }

  #fail(how: string): void {
    const lines = this.#errorOutput.split("\n").map((line) => line.trim());
    const cause = lines.find((line) => /^\w*Error\b.*: /.test(line));
    this.#ended ??= new Error(
      `the load process ended unexpectedly (${how})${cause === undefined ? "" : `: ${cause}`}`,
    );
    for (const waiting of this.#waiting.values()) waiting.reject(this.#ended);
    this.#waiting.clear();
  }
}
