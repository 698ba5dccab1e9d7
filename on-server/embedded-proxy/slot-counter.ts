/** What the embedded proxy counts for one slot. */
import type { Writable } from "node:stream";
import { classOf, isError } from "../director/drivers/answer-class";
import { latencyClass } from "../director/drivers/driver";
import type { AnswerClass, SlotCounts } from "../director/drivers/driver";
import { ClientCounter } from "./client-counter";

/** One request of a user. The first end counts; further calls change nothing. */
export interface RequestCount {
  /** Another server of the slot takes over. */
  movesTo(server: string): void;
  /** The answer has begun. */
  answered(): void;
  /** The slot's answer has ended, or its client has left within it. */
  ended(status: number): void;
  /** There is no whole answer from the slot. */
  failed(): void;
}

interface ServerCounts {
  requests: number;
  errors: number;
}

export class SlotCounter {
  private requests = 0;
  private errors = 0;
  private readonly latency: Record<number, number> = {};
  private readonly classes: Partial<Record<AnswerClass, number>> = {};
  private readonly servers = new Map<string, ServerCounts>();
  /** Running requests, WebSockets and downloads, with their servers. */
  private readonly running = new Map<Writable, string | undefined>();
  private clients: ClientCounter | null = null;
  private lastBegun: number | null = null;
  private readonly lastOfServer = new Map<string, number>();

  counts(): Omit<SlotCounts, "endpoints"> {
    const { requests, errors, latency, classes, running, clients } = this;
    const byClient = clients && { clients: clients.counts() };
    return { requests, errors, latency, classes, inFlight: running.size, ...byClient };
  }

  /** Since the last request; null if there was none since the start. */
  get idleSeconds(): number | null {
    return secondsSince(this.lastBegun);
  }

  /** What users have running on a server, and how long ago it got a request: null if it got none since the start. */
  activityOf(server: string): { readonly running: number; readonly idleSeconds: number | null } {
    const running = [...this.running.values()].filter((each) => each === server).length;
    return { running, idleSeconds: secondsSince(this.lastOfServer.get(server) ?? null) };
  }

  /** Requests that have ended, without those that their clients left before there was an answer. */
  ofServer(server: string): Readonly<ServerCounts> {
    return this.servers.get(server) ?? { requests: 0, errors: 0 };
  }

  /** Starts or stops the counts by client. */
  watch(wanted: boolean): void {
    this.clients = wanted ? (this.clients ?? new ClientCounter()) : null;
  }

  /** @param server undefined if all are out of rotation */
  begin(client: string, server: string | undefined): RequestCount {
    const { clients } = this;
    const begun = performance.now();
    this.lastBegun = begun;
    if (server !== undefined) this.lastOfServer.set(server, begun);
    let [last, hasEnded] = [server, false];
    this.requests += 1;
    clients?.begun(client);
    const end = (answerClass: AnswerClass): void => {
      if (hasEnded) return;
      hasEnded = true;
      this.classes[answerClass] = (this.classes[answerClass] ?? 0) + 1;
      if (isError(answerClass)) this.errors += 1;
      if (last !== undefined) this.countFor(last, answerClass);
      clients?.ended(client, answerClass);
    };
    return {
      movesTo: (next) => (last = next),
      answered: () => {
        const milliseconds = performance.now() - begun;
        const key = latencyClass(milliseconds);
        this.latency[key] = (this.latency[key] ?? 0) + 1;
        clients?.answered(client, milliseconds);
      },
      ended: (status) => end(classOf(status)),
      failed: () => end("none"),
    };
  }

  /** @param server undefined if all are out of rotation */
  runs(stream: Writable, server: string | undefined): void {
    this.running.set(stream, server);
    stream.once("close", () => this.running.delete(stream));
  }

  /** Ends all that runs. */
  cut(): void {
    for (const stream of this.running.keys()) stream.destroy();
  }

  private countFor(server: string, answerClass: AnswerClass): void {
    const counts = this.servers.get(server) ?? { requests: 0, errors: 0 };
    counts.requests += 1;
    if (isError(answerClass)) counts.errors += 1;
    this.servers.set(server, counts);
  }
}

function secondsSince(moment: number | null): number | null {
  return moment === null ? null : (performance.now() - moment) / 1_000;
}
