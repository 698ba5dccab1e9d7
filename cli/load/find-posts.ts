/** After the load: looks for every POST that the application acknowledged. What is not there was lost in an upgrade. */
import type { LoadClient } from "./client";
import type { LoadPlan } from "./plan";
import type { Answer } from "./request";
import type { AcknowledgedPost } from "./workload";

const CONCURRENCY = 16;
/** A look-up is no part of the load: a lost connection says nothing about the row, so it is asked again. */
const ATTEMPTS = 3;
/** After so many look-ups in a row without any answer the origin is gone, and the rest counts as missing. */
const GIVE_UP_AFTER = 20;
const NAMED_MISSING = 20;

interface FoundPosts {
  readonly acknowledged: number;
  readonly found: number;
  /** Ids of the first 20 that are not there. */
  readonly missing: readonly string[];
}

export const findPosts = async (
  plan: LoadPlan,
  client: LoadClient,
  posts: readonly AcknowledgedPost[],
): Promise<FoundPosts> => {
  const { find } = plan;
  if (find === undefined) return { acknowledged: 0, found: 0, missing: [] };
  const isFound = new Set<AcknowledgedPost>();
  const waiting = posts.values();
  let unanswered = 0;

  const ask = async (post: AcknowledgedPost): Promise<Answer | undefined> => {
    const path = find.path.replaceAll(":id", () => encodeURIComponent(post.id));
    let answer: Answer | undefined;
    for (
      let attempt = 1;
      attempt <= ATTEMPTS && (answer === undefined || answer.status >= 500);
      attempt += 1
    ) {
      try {
        answer = await client.send({ method: "GET", path, signal: AbortSignal.timeout(plan.timeLimitMs) });
      } catch {
        answer = undefined;
      }
    }
    return answer;
  };

  const lookFor = async (): Promise<void> => {
    // One iterator for all: each takes the next post that nobody has taken.
    for (const post of waiting) {
      if (unanswered >= GIVE_UP_AFTER) return;
      const answer = await ask(post);
      unanswered = answer === undefined ? unanswered + 1 : 0;
      if (answer?.status !== find.status) continue;
      if (find.includesMarker && !answer.body.includes(post.marker)) continue;
      isFound.add(post);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lookFor));

  const missing = posts.filter((post) => !isFound.has(post));
  return {
    acknowledged: posts.length,
    found: isFound.size,
    missing: missing.slice(0, NAMED_MISSING).map((post) => post.id),
  };
};
