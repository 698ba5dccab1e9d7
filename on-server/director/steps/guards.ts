/** What begin refuses although record and proxies agree: the way back must stay open while somebody may need it. */
import { EXIT } from "../../../release/exit-code";
import { otherSlot } from "../../../release/slot";
import type { Director } from "../director";
import { StepFailure } from "../step-failure";

/**
 * A contract migration takes away what older releases need. So it waits until each release that gets traffic, or may
 * get it again, works without; and from then on no other one is let in.
 */
export function refuseOldSchema({ spec, state }: Director): void {
  const due = spec.contracted.filter((script) => !state.contracted.includes(script));
  const { slots, previous, target } = spec;
  const candidate = slots[target];
  const others = [state.stable, state.candidate, slots.blue, slots.green, previous];
  for (const release of others) {
    if (release === null || release.releaseId === candidate?.releaseId) continue;
    const needed = due.find((script) => !release.contracts.includes(script));
    if (needed !== undefined) {
      throw refused(
        `${needed} takes away what ${release.releaseId} needs, and that can still get traffic: promote a release that works without it first, then release the migration`,
      );
    }
  }
  if (candidate === null) return;
  const gone = [...new Set([...state.contracted, ...spec.contracted])];
  const missing = gone.find((script) => !candidate.contracts.includes(script));
  if (missing !== undefined) {
    throw refused(
      `${candidate.releaseId} needs what ${missing} took away from the database: go back to a release that knows this migration, or forward`,
    );
  }
}

/**
 * A slot that is kept for an instant rollback is given up for the next release, or by somebody who withdraws one; never
 * for a convergence, which can wait.
 * @returns what this sequence costs, for people; empty where that is nothing.
 */
export function refuseRetained({ spec, state, clock }: Director): string {
  const { stable, retainedUntil } = state;
  if (stable === null || retainedUntil === null || clock.now() >= retainedUntil) return "";
  const retained = otherSlot(stable.slot);
  const until = `kept for an instant rollback until ${new Date(retainedUntil).toISOString()}`;
  if (spec.touched.includes(retained)) return `it gives up ${retained}, which was ${until}`;
  if (!spec.converge) return "";
  throw refused(`${retained} is ${until}: only a release into it may replace it before`);
}

/** Whether this sequence ends the retention: its slot gets another release. */
export function endsRetention({ spec, state }: Director): boolean {
  return state.stable === null || spec.converge || spec.touched.includes(otherSlot(state.stable.slot));
}

function refused(message: string): StepFailure {
  return new StepFailure(EXIT.refused, message);
}
