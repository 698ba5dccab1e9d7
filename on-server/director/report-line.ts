/**
 * The last line that a step prints: all that a remote reader gets of a proxy. Azure keeps only the last 4 KiB of a
 * command's output, so the line is shorter than that, and the journal gets the room that is left.
 */
import type { LastWords, PlacedRelease } from "../../release/director-status";
import type { Director } from "./director";
import { servingSlots } from "./drivers/driver";
import { thinned } from "./journal";
import type { State } from "./state";

/** run-command.head.sh shows 3,800 bytes; a line with the exit code follows. */
const LONGEST_LINE = 3_300;
const LONGEST_REASON = 600;
const KEEP_UNFINISHED = 8;

/** How a step ended, and when. */
export interface Ended {
  readonly result: NonNullable<State["result"]>;
  readonly seconds: number;
  /** ISO 8601. */
  readonly at: string;
}

export function reportLine(director: Pick<Director, "spec" | "state">, ended: Ended): string {
  const report = reportOf(director, ended);
  let { journal } = director.state;
  for (;;) {
    const line = JSON.stringify({ ...report, state: { ...report.state, journal } });
    if (journal.length === 0 || Buffer.byteLength(line) <= LONGEST_LINE) return line;
    journal = thinned(journal);
  }
}

/** The part of `director status` that needs no request to the proxy or an endpoint. */
function reportOf(
  { spec, state }: Pick<Director, "spec" | "state">,
  { result, seconds, at }: Ended,
): Omit<LastWords, "state"> & { readonly state: Omit<LastWords["state"], "journal"> } {
  const { intended } = state.traffic;
  const { sequence, phase, finished, stable, candidate, weight, deadline, retainedUntil } = state;
  return {
    ...shortened(result),
    seconds,
    at,
    proxy: spec.proxy.name,
    traffic: intended,
    serving: servingSlots(intended),
    state: {
      ...{ sequence, phase, finished, weight, deadline, retainedUntil },
      ...(state.brokenGlass === null ? {} : { brokenGlass: state.brokenGlass }),
      stable: named(stable),
      candidate: named(candidate),
      unfinished: state.unfinished.slice(-KEEP_UNFINISHED),
      result: state.result === null ? null : shortened(state.result),
    },
  };
}

function named(release: PlacedRelease | null) {
  return release === null ? null : { slot: release.slot, releaseId: release.releaseId };
}

/** Limits the reason in bytes of JSON: it may quote an instance's answer. */
function shortened<Result extends { readonly reason: string }>(result: Result): Result {
  let reason = result.reason.slice(0, LONGEST_REASON);
  while (Buffer.byteLength(JSON.stringify(reason)) > LONGEST_REASON + 2) reason = reason.slice(0, -1);
  return { ...result, reason };
}
