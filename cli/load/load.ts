/**
 * The load, seen from the command that measures: starts the process that sends the requests (`worker.ts`), tells it
 * where steps begin and end, and gets their counts.
 *
 *     start -> (beginStep -> endStep)* -> stop
 *
 * Requests go on arriving between steps; they count in the totals only.
 */
import { fork, type ChildProcess } from "node:child_process";
import { extname, join } from "node:path";
import type { Command, LoadSnapshot, LoadTotals, Reply, StepRequests } from "./messages";
import { parseLoadPlan, type LoadPlanInput } from "./plan";
import { Timeline, timelinePoint } from "./timeline";
import type { TimelinePoint } from "../../release/receipt";

export interface LoadProps {
  /** The file that the second process runs. @default the worker next to this file */
  readonly workerEntry?: string;
  /** Options of Node.js for it, such as a loader for TypeScript. @default those of this process */
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
  #complaints = "";

  constructor(props: LoadProps = {}) {
    this.#props = props;
  }

  /** The process that sends the requests, once started. */
  get workerPid(): number | undefined {
    return this.#worker?.pid;
  }

  /**
   * Starts the process and the arrival of requests; resolves when the first is on its way. Refuses a plan that cannot
   * be run. An origin that does not answer is no refusal: its requests fail, and are counted.
   */
  async start(input: LoadPlanInput): Promise<void> {
    if (this.#worker !== undefined) throw new Error("the load has already been started");
    const plan = parseLoadPlan(input);
    const entry = this.#props.workerEntry ?? join(__dirname, `worker${extname(__filename)}`);
    const worker = fork(entry, [], {
      // Left out rather than copied: Node.js then leaves `--eval` out of this process's options.
      ...(this.#props.execArgv !== undefined && { execArgv: [...this.#props.execArgv] }),
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#worker = worker;
    worker.stderr?.on("data", (chunk: Buffer) => {
      this.#complaints = (this.#complaints + chunk.toString()).slice(-8_000);
    });
    worker.on("message", (reply) => this.#receive(reply as Reply));
    worker.on("error", (error) => this.#lose(error.message));
    // Not "close": it does not come after a disconnect by the parent. The error stream may hold its last words.
    const saidAll = new Promise((resolve) => worker.stderr?.once("close", resolve));
    this.#exited = new Promise((resolve) => {
      worker.once("exit", (code, signal) => {
        void saidAll.then(() => {
          this.#lose(signal ?? `exit code ${code}`);
          resolve();
        });
      });
      // One that could not even be started has no exit.
      worker.once("error", () => worker.pid === undefined && resolve());
    });
    await this.#ask({ command: "start", plan });
  }

  /** What becomes due from now on belongs to the step `name`. Refused while another step has not ended. */
  async beginStep(name: string): Promise<void> {
    await this.#ask({ command: "beginStep", name });
  }

  /**
   * Ends the step now, and resolves to its counts once every request that was due in it has ended, which takes at most
   * the plan's time limit. Requests keep arriving meanwhile, and the next step may begin without waiting for this.
   */
  async endStep(): Promise<StepRequests> {
    return (await this.#ask({ command: "endStep" })) as StepRequests;
  }

  /** For a progress line: at most a second old. */
  snapshot(): LoadSnapshot {
    return this.#snapshot;
  }

  /** What happened so far, in at most 600 points; whole once the load has stopped. */
  timeline(): TimelinePoint[] {
    return this.#timeline.points();
  }

  /**
   * Ends the arrival of requests, waits for those under way, then looks for every acknowledged POST and ends the process.
   * The counts of a step that has not ended are in the totals only.
   */
  stop(): Promise<LoadTotals> {
    this.#stopped ??= (async () => {
      const totals = (await this.#ask({ command: "stop" })) as LoadTotals;
      this.#ended ??= new Error("the load has been stopped");
      this.#worker?.disconnect();
      await this.#exited;
      return totals;
    })();
    return this.#stopped;
  }

  /** Ends the process at once, without counts: for a measurement that is given up. */
  async kill(): Promise<void> {
    this.#ended ??= new Error("the load has been given up");
    this.#worker?.kill("SIGKILL");
    await this.#exited;
  }

  #ask(command: WithoutId<Command>): Promise<unknown> {
    const worker = this.#worker;
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (worker === undefined) return Promise.reject(new Error("the load has not been started"));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      // A failure to send means that the process is gone: its "exit" event says why.
      worker.send({ ...command, id }, () => undefined);
    });
  }

  #receive(reply: Reply): void {
    if (reply.type === "progress") {
      const { sent, failed, inFlight, stretch } = reply;
      this.#snapshot = { sent, failed, inFlight, lastSecond: timelinePoint(stretch) };
      this.#timeline.add(stretch);
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.type === "done") waiting?.resolve(reply.result);
    else waiting?.reject(new Error(reply.reason));
  }

  #lose(how: string): void {
    const lines = this.#complaints.split("\n").map((line) => line.trim());
    const why = lines.find((line) => /^\w*Error\b.*: /.test(line));
    this.#ended ??= new Error(
      `the load process ended unexpectedly (${how})${why === undefined ? "" : `: ${why}`}`,
    );
    for (const waiting of this.#waiting.values()) waiting.reject(this.#ended);
    this.#waiting.clear();
  }
}
