/**
 * A plan token stands for a reviewed plan: the sequence it starts from, what users got then, and what was requested. An
 * apply with a token is refused if any of them has changed since.
 */
import { createHash } from "node:crypto";
import { InvalidInput, Refusal } from "./failure";
import { recordDigest } from "./record";
import type { ReleaseRecord } from "./record";
import type { Observed } from "./transitions";

const TOKEN = /^(\d{1,9})-([0-9a-f]{10})-([0-9a-f]{10})$/;

/** @param observed null if the proxies disagree. */
export function planToken(record: ReleaseRecord, observed: Observed | null, next: ReleaseRecord): string {
  const seen = observed === null ? null : [observed.live, observed.releaseId, [...observed.serving].sort()];
  const asked = [recordDigest(next), next.schedule ?? null];
  return [record.sequence, digest([recordDigest(record), seen]), digest(asked)].join("-");
}

/** @throws InvalidInput if it is not a token. @throws Refusal naming what changed since the plan. */
export function requireSamePlan(given: string, now: string): void {
  const [, sequence, seen, asked] = TOKEN.exec(given) ?? [];
  if (sequence === undefined) {
    throw new InvalidInput(`"${given.slice(0, 60)}" is not a plan token: \`bluegreen plan\` prints one`);
  }
  const [nowSequence, nowSeen, nowAsked] = now.split("-");
  const moved =
    sequence !== nowSequence
      ? `the record was at ${sequence} and is now at ${nowSequence}`
      : seen !== nowSeen
        ? "what users get, or the record, has changed"
        : asked !== nowAsked
          ? "it was made for a different version, artifact, goal or schedule"
          : undefined;
  if (moved === undefined) return;
  throw new Refusal(
    "plan-moved",
    `the plan with token ${given} is no longer valid: ${moved}; nothing was changed. Plan again, review the plan, and use the new token`,
  );
}

function digest(facts: unknown): string {
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 10);
}
