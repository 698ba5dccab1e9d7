/**
 * What no fault may lose: the record, and a director's journal. Polled while a row is played, and compared with the state
 * at the end. (The load checks acknowledged POSTs.)
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DirectorState } from "../../release/director-status";
import type { Receipt } from "../../release/receipt";
import type { JournalEntry } from "../../release/journal";
import { parseFile } from "../../release/validation";

const POLL_MS = 20;

export class KeptSafe {
  private readonly seen = new Map<number, Map<string, JournalEntry>>();
  private readonly timer: NodeJS.Timeout;
  private readonly problems = new Set<string>();
  private readonly recordBefore: number;

  constructor(
    private readonly project: string,
    private readonly proxy: string,
  ) {
    this.recordBefore = this.record()?.sequence ?? 0;
    this.timer = setInterval(() => this.poll(), POLL_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** @returns what is lost. */
  async lost(): Promise<string[]> {
    this.poll();
    this.stop();
    const record = this.record();
    if (record === null) this.problems.add("the record is gone");
    else if (record.sequence < this.recordBefore) this.problems.add("the record went back");
    this.checkEvents();
    const state = this.state();
    for (const [sequence, entries] of this.seen) {
      const kept = sequence === state?.sequence ? state.journal : this.receiptOf(sequence);
      if (kept === null) {
        this.problems.add(`record ${sequence} has no receipt, and its journal is gone`);
        continue;
      }
      const there = new Set(kept.map((entry) => JSON.stringify(entry)));
      const gone = [...entries].filter(([text]) => !there.has(text)).map(([, { event }]) => event);
      if (gone.length > 0) this.problems.add(`the receipt of record ${sequence} lacks: ${gone.join(", ")}`);
    }
    return [...this.problems];
  }

  private poll(): void {
    const state = this.state();
    if (state === null) return;
    const known = this.seen.get(state.sequence) ?? new Map<string, JournalEntry>();
    // The director writes a change of traffic before it happens, so the last one counts only when an entry follows.
    const last = state.journal.at(-1);
    const certain = last?.event === "traffic" ? state.journal.slice(0, -1) : state.journal;
    for (const entry of certain) known.set(JSON.stringify(entry), entry);
    if (known.size > 0) this.seen.set(state.sequence, known);
  }

  /** Every line of the director must be complete. */
  private checkEvents(): void {
    const file = join(this.project, this.proxy, "events.jsonl");
    const lines = (existsSync(file) ? readFileSync(file, "utf8") : "").split("\n");
    for (const line of lines.filter((each) => each !== "")) {
      try {
        JSON.parse(line);
      } catch {
        this.problems.add(`events.jsonl has half a line: ${line.slice(0, 60)}`);
      }
    }
  }

  private state(): DirectorState | null {
    const file = join(this.project, this.proxy, "state.json");
    return existsSync(file) ? parseFile(DirectorState, readFileSync(file, "utf8"), file) : null;
  }

  private record(): { readonly sequence: number } | null {
    return read(join(this.project, "release.json"));
  }

  private receiptOf(sequence: number): JournalEntry[] | null {
    const folder = join(this.project, ".bluegreen/local/receipts");
    if (!existsSync(folder) || !readdirSync(folder).includes(`${sequence}.json`)) return null;
    const receipt = read<Receipt>(join(folder, `${sequence}.json`));
    return receipt?.proxies.flatMap(({ journal }) => [...journal]) ?? null;
  }
}

/** Files are replaced atomically: an incomplete file throws; a missing one does not. */
function read<T>(file: string): T | null {
  if (!existsSync(file)) return null;
  return JSON.parse(readFileSync(file, "utf8")) as T;
}
