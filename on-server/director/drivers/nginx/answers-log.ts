/**
 * Counts NGINX's answers from the log that it writes while a director counts: one line per answer. The log is read as it
 * grows, and replaced when it is large.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { writeAtomically } from "../../../../system/atomic-file";
import { SLOTS } from "../../../../release/slot";
import type { PerSlot, Slot } from "../../../../release/slot";
import { classOf } from "../answer-class";
import type { AnswerClass } from "../driver";
import { notPages, PopularPages } from "../popular-pages";
import { TrustedBalancers } from "../trusted-balancers";
import { SlotTally } from "./slot-tally";

const ANSWERS_LOG = "answers.log";
/**
 * The last field is the page, which has no spaces (`pageMap`), a space, and what balancers in front forwarded, if some are
 * trusted. A configuration of an earlier version has the latter only.
 */
export const COUNTED_FORMAT = [
  ...[
    "$slot",
    "$status",
    "$request_completion",
    "$upstream_addr",
    "$upstream_header_time",
    "$bucket",
    "$remote_addr",
  ],
  ...["$request_method", "$upstream_response_length", "$upstream_http_content_length", "$page "],
].join("|");
/** Up to 100 ms late: without a buffer each line costs a system call. */
export const COUNTED = `access_log ${ANSWERS_LOG} answers buffer=16k flush=100ms if=$counted;`;

const LIMIT = 64 * 1024 * 1024;
/** Where the log was when the counting began, for the step that goes on counting in another process. */
const BEGAN = "answers-began.json";
const OLDER = `${ANSWERS_LOG}.older`;
/** By then all workers write to the new file. */
const HANDOVER_MS = 10_000;
/** Between the values of a request's attempts. */
const ATTEMPTS = /, | : /;
const LAST_FIELD = /^(\/[!-~]*)? (.*)$/;

interface OpenFile {
  readonly descriptor: number;
  readonly inode: number;
  position: number;
  rest: string;
  /** Nothing is written to it after this time; null for the current file. */
  closesAt: number | null;
}

export class AnswersLog {
  private readonly tallies: PerSlot<SlotTally> = { blue: new SlotTally(), green: new SlotTally() };
  /** By the slot that answered: of stable, after a release, too. */
  private readonly pages: PerSlot<PopularPages>;
  /** Servers by their addresses. */
  private readonly servers: PerSlot<ReadonlyMap<string, string>>;
  private readonly trusted: TrustedBalancers;
  private files: OpenFile[] = [];

  /**
   * @param reopen makes NGINX open a new file.
   * @param begun whether to count from where the counting began; otherwise from now on: only differences count.
   */
  constructor(
    spec: DirectorSpec,
    private readonly reopen: () => void,
    begun: boolean,
  ) {
    const servers = (slot: Slot) =>
      new Map(spec.endpoints[slot].map(({ server, host, port }) => [`${host}:${port}`, server]));
    this.servers = { blue: servers("blue"), green: servers("green") };
    this.trusted = new TrustedBalancers(spec.proxy.http.trusted);
    const leftOut = notPages(spec);
    this.pages = { blue: new PopularPages(leftOut), green: new PopularPages(leftOut) };
    this.follow(begun ? beginning() : "end");
    this.replaceWhenLarge();
  }

  read(): PerSlot<SlotTally> {
    this.readAll();
    return this.tallies;
  }

  popularPages(slot: Slot): readonly string[] {
    this.readAll();
    return this.pages[slot].most();
  }

  private readAll(): void {
    this.follow(0);
    for (const file of this.files) this.readMore(file);
    this.files = this.files.filter((file) => {
      const ended = file.closesAt !== null && Date.now() >= file.closesAt;
      if (ended) {
        closeSync(file.descriptor);
        rmSync(OLDER, { force: true });
      }
      return !ended;
    });
    this.replaceWhenLarge();
  }

  /** @param from where to start in a file that is new to it, of this inode or of any. */
  private follow(from: Beginning | "end" | 0): void {
    if (!existsSync(ANSWERS_LOG)) return;
    const { ino, size } = statSync(ANSWERS_LOG);
    if (this.files.some(({ inode, closesAt }) => inode === ino && closesAt === null)) return;
    for (const file of this.files) file.closesAt ??= Date.now() + HANDOVER_MS;
    const descriptor = openSync(ANSWERS_LOG, "r");
    const { ino: inode } = fstatSync(descriptor);
    const position = from === "end" ? size : from !== 0 && from.inode === inode ? from.position : 0;
    this.files.push({ descriptor, inode, position, rest: "", closesAt: null });
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
    const [slot = "", status, completion, addresses = "", times = "", bucket, peer = "", ...rest] =
      line.split("|");
    const [method, received = "", announced = "", ...last] = rest;
    // Without an upstream it is NGINX's answer to a bad request.
    if (!isSlot(slot) || addresses === "" || addresses === "-") return;
    const [, page, forwarded = ""] = LAST_FIELD.exec(last.join("|")) ?? [null, undefined, last.join("|")];
    // A client that left is nobody's error. A request that the other slot took over counts as this slot's error.
    const ended = completion === "OK";
    const attempts = addresses.split(ATTEMPTS).map((address) => this.servers[slot].get(address) ?? null);
    const tookOver = attempts.at(-1) === null;
    const isWhole = method === "HEAD" || status === "304" || !(Number(lastOf(received)) < Number(announced));
    const hasBegun = !tookOver && !Number.isNaN(Number.parseFloat(lastOf(times)));
    const answerClass = classOfAnswer(Number(status), { hasBegun, isLost: ended && (tookOver || !isWhole) });
    const seconds = times
      .split(ATTEMPTS)
      .map((each) => Number.parseFloat(each))
      .filter((each) => !Number.isNaN(each));
    this.tallies[slot].add({
      client: `${this.trusted.clientOf(peer, forwarded)}|${bucket}`,
      server: attempts.findLast((server) => server !== null) ?? null,
      answerClass,
      milliseconds: seconds.length === 0 ? null : 1000 * seconds.reduce((sum, each) => sum + each, 0),
    });
    const isPage = ended && status !== "101" && (answerClass === "2xx" || answerClass === "3xx");
    if (isPage && page !== undefined) this.pages[slot].add(page);
  }

  private replaceWhenLarge(): void {
    const current = this.files.find(({ closesAt }) => closesAt === null);
    // After the renaming, NGINX takes a moment to make the new file.
    if (current === undefined || current.position < LIMIT || !existsSync(ANSWERS_LOG)) return;
    renameSync(ANSWERS_LOG, OLDER);
    this.reopen();
  }
}

/** Null if the client left before there was an answer. NGINX's answer instead of the slot's is none. */
function classOfAnswer(
  status: number,
  { hasBegun, isLost }: { readonly hasBegun: boolean; readonly isLost: boolean },
): AnswerClass | null {
  if (isLost) return "none";
  if (hasBegun) return classOf(status);
  return status >= 500 ? "none" : null;
}

interface Beginning {
  readonly inode: number;
  readonly position: number;
}

/** Where the log is now. A second beginning changes nothing. @returns whether it is the first. */
export function markBeginning(): boolean {
  if (existsSync(BEGAN)) return false;
  const { ino, size } = existsSync(ANSWERS_LOG) ? statSync(ANSWERS_LOG) : { ino: 0, size: 0 };
  const beginning: Beginning = { inode: ino, position: size };
  writeAtomically(BEGAN, JSON.stringify(beginning));
  return true;
}

/** Whether answers of a sequence are counted. */
export function hasBegun(): boolean {
  return existsSync(BEGAN);
}

export function unmarkBeginning(): void {
  rmSync(BEGAN, { force: true });
}

function beginning(): Beginning | "end" {
  return existsSync(BEGAN) ? (JSON.parse(readFileSync(BEGAN, "utf8")) as Beginning) : "end";
}

function lastOf(attempts: string): string {
  return attempts.split(ATTEMPTS).at(-1)!;
}

function isSlot(text: string): text is Slot {
  return (SLOTS as readonly string[]).includes(text);
}
