/** The line with which a director's step ends, as a director writes it; a test names what matters to it. */
import type { LastWords } from "../../../release/director-status";

export function lastLine(
  changes: Partial<Omit<LastWords, "state">>,
  state: Partial<LastWords["state"]>,
): LastWords {
  const sequence = state.sequence ?? 1;
  return {
    ...{ step: "switch", sequence, exitCode: 0, outcome: "promoted", reason: "it is live", comparison: null },
    ...{ seconds: 1, at: "2026-11-25T12:00:00.000Z", proxy: "proxy-1", serving: [] },
    traffic: { live: "blue", weight: 0, offset: 0, mode: "serve", fallback: false },
    ...changes,
    state: {
      ...{ sequence, phase: "stable", finished: true, stable: null, candidate: null, weight: 0 },
      ...{ deadline: null, retainedUntil: null, unfinished: [], journal: [], result: null },
      ...state,
    },
  };
}
