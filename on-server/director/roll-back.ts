/** Rollback: returns all requests to stable, from any point of a sequence. */
import { Failure } from "../../release/failure";
import { EXIT } from "../../release/exit-code";
import { otherSlot } from "../../release/slot";
import { activateStable } from "./activation";
import { describeTraffic } from "./director";
import type { Director } from "./director";
import { CLOSED, sameTraffic } from "./drivers/driver";
import { KEEP_FAILED_DIGESTS } from "./state";
import type { State } from "./state";
import type { PlacedRelease } from "../../release/director-status";
import { admit } from "./verify";

/**
 * Returns all requests to stable once a probe shows that it is healthy.
 * @param sure whether the candidate failed for certain, or a person decided: its artifact is then refused until a record
 * has `retry`. A verdict by statistics can be wrong, and refuses nothing.
 * @throws Failure (frozen) if stable is not healthy: traffic stays as it is.
 */
export async function rollBack(
  director: Director,
  reason: string,
  { sure }: { readonly sure: boolean },
): Promise<void> {
  const { stable } = director.state;
  const traffic = await director.driver.observe();
  if (stable === null) {
    if (!sameTraffic(traffic, CLOSED)) await director.setTraffic(CLOSED);
    await activateStable(director);
    director.save({ phase: "stable", candidate: null, weight: 0, deadline: null });
    return;
  }
  const carried = traffic.weight > 0 || traffic.live !== stable.slot;
  const { healthy, others, problem } = await stableAnswers(director, stable);
  // A recreate that replaced stable on some servers only: a rollback would serve two releases at once.
  const mixed = traffic.mode !== "serve" && others.length > 0;
  if (mixed || (!healthy && (carried || traffic.mode !== "serve"))) {
    director.save({ phase: "frozen", finished: true });
    throw new Failure(
      `${reason}; can't roll back, ${stable.releaseId} in ${stable.slot} is not healthy: ${problem}. Traffic stays as it is (${describeTraffic(traffic)}). Next: repair ${stable.slot}, then \`bluegreen abort\`; or release a working version`,
      EXIT.frozen,
    );
  }
  const { candidate, failedDigests } = director.state;
  director.save({
    phase: "aborting",
    failedDigests:
      candidate === null || !carried || !sure ? failedDigests : failedAfter(failedDigests, candidate, reason),
  });
  await director.setTraffic({ ...traffic, live: stable.slot, weight: 0, mode: "serve", fallback: false });
  await activateStable(director);
  if (carried) await director.drain(otherSlot(stable.slot), { cut: false });
  director.save({ phase: "stable", weight: 0, deadline: null, candidate: null });
}

/** Whether stable is healthy. If a heal left all its servers out of rotation, the healthy ones return to it. */
export async function stableAnswers(
  director: Director,
  { slot, releaseId }: PlacedRelease,
): ReturnType<Director["answers"]> {
  const found = await director.answers(slot, releaseId);
  if (found.healthy) return found;
  const { endpoints } = (await director.driver.counts())[slot];
  const out = director.spec.endpoints[slot].filter(({ server }) =>
    endpoints.some((each) => each.server === server && !each.inRotation),
  );
  const probes = await Promise.all(out.map((endpoint) => director.probe(endpoint, releaseId)));
  const well = out.filter((_, index) => probes[index]!.healthy).map(({ server }) => server);
  if (well.length === 0 || !(await admit(director, slot, releaseId, well)).passed) return found;
  return director.answers(slot, releaseId);
}

/** The failed artifacts, with this one: it is refused until a record has `retry`. */
export function failedAfter(
  failedDigests: State["failedDigests"],
  { sha256, releaseId }: Pick<PlacedRelease, "sha256" | "releaseId">,
  reason: string,
): State["failedDigests"] {
  const others = failedDigests.filter((failed) => failed.sha256 !== sha256);
  return [...others, { sha256, releaseId, reason }].slice(-KEEP_FAILED_DIGESTS);
}
