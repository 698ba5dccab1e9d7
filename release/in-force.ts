/** Which record users are served by, if the last one was written but refused by every proxy. Pure. */
import { appliedRecord } from "./break-glass";
import type { DirectorState } from "./director-status";
import type { ReleaseRecord } from "./record";

/**
 * The record from which a rollback starts: the last one that began. One that was refused has installed nothing, so what was
 * before it is still there.
 * @param states of the proxies that take part.
 */
export function recordInForce(
  record: ReleaseRecord,
  states: readonly Pick<DirectorState, "sequence" | "record">[],
): ReleaseRecord {
  const [applied, ...others] = states.map((state) =>
    state.sequence < record.sequence ? appliedRecord(state) : null,
  );
  if (applied === undefined || applied === null) return record;
  if (others.some((other) => other?.sequence !== applied.sequence)) return record;
  const { sequence, banned } = record;
  return { ...applied, sequence, ...(banned === undefined ? {} : { banned }) };
}
