/** After the load: checks every POST that the application acknowledged. A missing one was lost in an upgrade. */
import type { LoadClient } from "./client";
import type { LoadPlan } from "./plan";
import type { Answer } from "./request";
import type { AcknowledgedPost } from "./workload";

const CONCURRENCY = 16;
/** A check is not part of the load: a lost connection proves nothing about the row, so it is repeated. */
const ATTEMPTS = 3;
/** After this many checks in a row without an answer, the origin is down and the rest counts as missing. */
const GIVE_UP_AFTER = 20;
const NAMED_MISSING = 20;

interface FoundPosts {
  readonly acknowledged: number;
  readonly found: number;
  /** Ids of the first 20 missing posts. */
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

  const fetchPost = async (post: AcknowledgedPost): Promise<Answer | undefined> => {
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

  const checkPosts = async (): Promise<void> => {
    // One shared iterator: each call takes the next post.
    for (const post of waiting) {
      if (unanswered >= GIVE_UP_AFTER) return;
      const answer = await fetchPost(post);
      unanswered = answer === undefined ? unanswered + 1 : 0;
      if (answer?.status !== find.status) continue;
      if (find.includesMarker && !answer.body.includes(post.marker)) continue;
      isFound.add(post);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, checkPosts));

  const missing = posts.filter((post) => !isFound.has(post));
  return {
    acknowledged: posts.length,
    found: isFound.size,
    missing: missing.slice(0, NAMED_MISSING).map((post) => post.id),
  };
};
