/** The results of the rows, in the format that `--json` writes and `page.ts` reads. */
import type { InjectionPoint } from "./injection-points";
import type { EndState } from "./row";

/** Replaces the earlier results of cases that were played again. The order stays. */
export function merged(before: FaultResults | undefined, now: FaultResults): FaultResults {
  if (before === undefined) return now;
  const names = [...new Set([...before.rows, ...now.rows].map(({ name }) => name))];
  const rows = names.map((name): PlayedRow => {
    const old = before.rows.find((row) => row.name === name);
    const fresh = now.rows.find((row) => row.name === name);
    if (old === undefined || fresh === undefined) return (fresh ?? old)!;
    const again = (phase: InjectionPoint) => fresh.outcomes.find((outcome) => outcome.phase === phase);
    const kept = old.outcomes.map((outcome) => again(outcome.phase) ?? outcome);
    const added = fresh.outcomes.filter(({ phase }) => !kept.some((outcome) => outcome.phase === phase));
    return { ...fresh, outcomes: [...kept, ...added] };
  });
  return { ...now, command: before.command, startedAt: before.startedAt, rows };
}

/** Format 1. */
export interface FaultResults {
  readonly formatVersion: 1;
  readonly command: string;
  readonly machine: string;
  /** A note for readers about how it was played, added by hand. */
  readonly note?: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly endedAt: string;
  readonly rows: readonly PlayedRow[];
}

export interface PlayedRow {
  readonly name: string;
  readonly fault: string;
  readonly how: string;
  readonly outcomes: readonly Outcome[];
}

export interface Outcome {
  readonly phase: InjectionPoint;
  readonly status: "passed" | "failed" | "skipped";
  /** What did not end as documented, or why it was skipped. */
  readonly broken: readonly string[];
  readonly seconds: number;
  readonly expected: Pick<EndState, "exit" | "serves" | "goesOn"> & { readonly mayCost: string };
  readonly mended: string | null;
  /** The exit code of the command; "killed" if the fault killed it. */
  readonly exit: number | "killed" | null;
  readonly message: string;
  readonly users: {
    readonly sent: number;
    readonly failed: number;
    readonly failures: Readonly<Record<string, number>>;
    readonly longestGapMs: number;
    readonly acknowledged: number;
    readonly found: number;
  } | null;
  readonly end: {
    readonly serves: readonly string[];
    readonly record: string;
    readonly phase: string;
    readonly weight: number;
  } | null;
  /** With two proxies: when the users of the living one got the right release only. */
  readonly rightAfterMs?: number;
  readonly wayOn: readonly { readonly command: string; readonly exit: number; readonly outcome: string }[];
}
