/**
 * What somebody who looked at a plan agreed to: the sequence it starts from, what users had then, and what was asked for.
 * Whoever applies with a token is refused where one of them moved meanwhile.
 */
import { createHash } from "node:crypto";
import { InvalidInput, Refusal } from "./failure";
import { recordDigest } from "./record";
import type { ReleaseRecord } from "./record";
import type { Observed } from "./transitions";

const TOKEN = /^(\d{1,9})-([0-9a-f]{10})-([0-9a-f]{10})$/;

/** @param observed null where the proxies disagree. */
export function planToken(record: ReleaseRecord, observed: Observed | null, next: ReleaseRecord): string {
  const seen = observed === null ? null : [observed.live, observed.releaseId, [...observed.serving].sort()];
  const asked = [recordDigest(next), next.schedule ?? null];
  return [record.sequence, digest([recordDigest(record), seen]), digest(asked)].join("-");
}

/** @throws InvalidInput where it is no token. @throws Refusal naming what moved since the plan was made. */
export function requireSamePlan(given: string, now: string): void {
  const [, sequence, seen, asked] = TOKEN.exec(given) ?? [];
  if (sequence === undefined) {
    throw new InvalidInput(`"${given.slice(0, 60)}" is no plan token: \`bluegreen plan\` prints one`);
  }
  const [nowSequence, nowSeen, nowAsked] = now.split("-");
  const moved =
    sequence !== nowSequence
      ? `the record was at ${sequence} then and is at ${nowSequence} now`
      : seen !== nowSeen
        ? "what users get, or the record, is not what it was then"
        : asked !== nowAsked
          ? "it was made for something else (another version, artifact, goal or schedule)"
          : undefined;
  if (moved === undefined) return;
  throw new Refusal(
    "plan-moved",
    `the plan with token ${given} does not hold any more: ${moved}; nothing was changed. Plan again, look, and use the new token`,
  );
}

function digest(facts: unknown): string {
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 10);
}
