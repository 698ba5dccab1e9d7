/**
 * Counts NGINX's answers from the log that it writes for the director: one line per answer with slot, status, the tried
 * addresses and their times. The log is read as it grows, and replaced when it is large.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync, renameSync, statSync } from "node:fs";
import type { Endpoint } from "../../../../configuration/naming";
import type { PerSlot, Slot } from "../../../../release/slot";
import { latencyClass } from "../driver";
import type { Latencies } from "../driver";
import { ANSWERS_LOG } from "./nginx-configuration";

const LIMIT = 64 * 1024 * 1024;
const OLDER = `${ANSWERS_LOG}.older`;
/** By then all workers write to the new file. */
const HANDOVER_MS = 10_000;

interface Counted {
  requests: number;
  errors: number;
  readonly latency: Record<number, number>;
}

interface OpenFile {
  readonly descriptor: number;
  readonly inode: number;
  position: number;
  rest: string;
  /** Nothing is written to it after this time; null for the current file. */
  closesAt: number | null;
}

export class AnswersLog {
  private readonly counted: Record<Slot, Counted> = {
    blue: { requests: 0, errors: 0, latency: {} },
    green: { requests: 0, errors: 0, latency: {} },
  };
  private files: OpenFile[] = [];

  /** @param reopen makes NGINX open a new file. */
  constructor(
    private readonly endpoints: PerSlot<readonly Endpoint[]>,
    private readonly reopen: () => void,
  ) {
    // Earlier answers don't matter: only differences count.
    this.follow(true);
  }

  read(): PerSlot<{ requests: number; errors: number; latency: Latencies }> {
    this.follow(false);
    for (const file of this.files) this.readMore(file);
    this.files = this.files.filter((file) => {
      const ended = file.closesAt !== null && Date.now() >= file.closesAt;
      if (ended) closeSync(file.descriptor);
      return !ended;
    });
    this.replaceWhenLarge();
    const { blue, green } = this.counted;
    return {
      blue: { ...blue, latency: { ...blue.latency } },
      green: { ...green, latency: { ...green.latency } },
    };
  }

  private follow(fromItsEnd: boolean): void {
    if (!existsSync(ANSWERS_LOG)) return;
    const { ino, size } = statSync(ANSWERS_LOG);
    if (this.files.some(({ inode, closesAt }) => inode === ino && closesAt === null)) return;
    for (const file of this.files) file.closesAt ??= Date.now() + HANDOVER_MS;
    const descriptor = openSync(ANSWERS_LOG, "r");
    const { ino: inode } = fstatSync(descriptor);
    this.files.push({ descriptor, inode, position: fromItsEnd ? size : 0, rest: "", closesAt: null });
  }

  private readMore(file: OpenFile): void {
    const buffer = Buffer.alloc(1024 * 1024);
    for (;;) {
      const length = readSync(file.descriptor, buffer, 0, buffer.length, file.position);
      if (length === 0) return;
      file.position += length;
      const lines = (file.rest + buffer.toString("latin1", 0, length)).split("\n");
      file.rest = lines.pop()!;
      for (const line of lines) this.count(line);
    }
  }

  private count(line: string): void {
    const [slot, status, addresses = "", times = ""] = line.split("|");
    if (slot !== "blue" && slot !== "green") return;
    const counted = this.counted[slot];
    counted.requests += 1;
    const last = addresses.split(/[,:] /).at(-1)!;
    const bySlot = this.endpoints[slot].some(({ host, port }) => `${host}:${port}` === last);
    // A request that the other slot took over counts as this slot's error.
    if (Number(status) >= 500 || !bySlot) counted.errors += 1;
    const seconds = times
      .split(/[,:] /)
      .filter((each) => each !== "-" && each !== "")
      .map(Number);
    if (seconds.length === 0) return;
    const key = latencyClass(1000 * seconds.reduce((sum, each) => sum + each, 0));
    counted.latency[key] = (counted.latency[key] ?? 0) + 1;
  }

  private replaceWhenLarge(): void {
    const current = this.files.find(({ closesAt }) => closesAt === null);
    if (current === undefined || current.position < LIMIT) return;
    renameSync(ANSWERS_LOG, OLDER);
    this.reopen();
  }
}
