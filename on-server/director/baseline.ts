/**
 * What stable's answers were like before a candidate got any request: all that were counted since begin. Where these are too
 * few to know how long answers take, the latencies of the last sequence stand in.
 */
import { otherSlot } from "../../release/slot";
import { betweenByClient, NOTHING, numberOf, together } from "./analysis";
import type { Sample } from "./analysis";
import type { Director } from "./director";
import type { SlotCounts } from "./drivers/driver";
import { answersOf, since } from "./users";
import { enoughLatencies } from "./verdict/slowness";

/**
 * Stable's answers since begin.
 * @param first stable's counts when the verification began: a begin of version 0.1.0 counted nothing.
 */
export async function stableBefore(director: Director, first: SlotCounts): Promise<Sample> {
  const { clock, driver, state, spec } = director;
  const counts = await driver.counts();
  const stable = otherSlot(spec.target);
  const now = counts[stable];
  const { watched } = state;
  if (watched?.sequence !== spec.sequence || watched.stable === undefined) {
    return betweenByClient(first, now);
  }
  const { answers, failed } = since(watched.counted, answersOf(counts))[stable];
  const isNew = now.requests < watched.counted[stable].answers;
  const { latency, classes } = isNew ? { latency: {}, classes: {} } : watched.stable;
  const counted: Sample = {
    ...{ requests: answers, errors: failed, latency: increased(latency, now.latency) },
    ...(now.classes !== undefined && { classes: increased(classes ?? {}, now.classes) }),
    // By client, all drivers count from begin on.
    ...(now.clients !== undefined && { clients: now.clients }),
  };
  const seconds = (clock.now() - watched.at) / 1000;
  return { ...together(counted, usualLatencies(director, counted)), seconds };
}

/** Of the last sequence, if that is more than what is known since begin. */
function usualLatencies({ state, spec }: Director, { latency }: Sample): Sample {
  const known = numberOf(latency);
  const usual = state.usual?.latency ?? {};
  const suffices = known >= enoughLatencies(spec.schedule.analysis);
  return suffices || numberOf(usual) <= known ? NOTHING : { ...NOTHING, latency: usual };
}

/** HAProxy forgets some of its counts: what is lower now did not increase. */
function increased(
  then: Readonly<Record<string, number>>,
  now: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(now).flatMap(([key, count]) => {
      const more = count - (then[key] ?? 0);
      return more > 0 ? [[key, more] as const] : [];
    }),
  );
}
