/** What a person should know before they agree to a plan: risky settings, and what the release's migrations permit. */
import type { Environment } from "./environment";
import { idOrNull, scheduleOf, target } from "../release/record";
import type { ReleaseRecord } from "../release/record";
import { missingFrom } from "../release/release";
import type { Schedule } from "../release/schedule";
import { otherSlot } from "../release/slot";
import { rollbackIsInstant } from "../release/transitions";

type Site = Pick<Environment, "schedule" | "verification" | "topology">;

/** Settings that are allowed and often regretted, each in one line with its field. */
export function warningsOf(next: ReleaseRecord, environment: Site): string[] {
  const schedule = scheduleOf(next, environment);
  const { strategy, bakeSeconds, drainSeconds, onFailure, whileDown } = schedule;
  const { smoke } = environment.verification;
  const installs = target(next)?.run === next.sequence;
  const warnings: string[] = [];
  if (strategy === "recreate") {
    warnings.push(
      whileDown === "maintenancePage"
        ? "strategy recreate with whileDown maintenancePage: users see a maintenance page while the site stops and starts"
        : "strategy recreate: users wait while the site stops and starts",
    );
  } else if (bakeSeconds === 0) {
    warnings.push("bakeSeconds is 0: the candidate counts as stable without having been watched at 100 %");
  }
  if (drainSeconds === 0) {
    warnings.push("drainSeconds is 0: requests that still run on the old slot are not waited for");
  }
  if (installs && smoke.length === 0) {
    warnings.push(
      "verification.smoke is empty: the candidate is asked for its health only, no page that users need",
    );
  }
  if (onFailure === "freeze") {
    warnings.push("onFailure is freeze: a candidate that misbehaves keeps its users until a person decides");
  }
  return warnings;
}

/** How the requests come to the candidate, as the schedule says. */
export function trafficOf(next: ReleaseRecord, environment: Pick<Environment, "schedule">): string {
  const { strategy, steps, stepSeconds, bakeSeconds, onFailure } = scheduleOf(next, environment);
  if (next.goal === "staged") return "none until it is promoted";
  if (strategy === "recreate") return "the site stops and starts with it, all requests at once";
  const until = next.goal === "live" ? 100 : next.goal;
  const weights = [...steps.filter((weight) => weight < until), until];
  const each = weights.map((weight) =>
    weight === 100 ? `100 %, watched for ${bakeSeconds} s` : `${weight} % for ${stepSeconds} s`,
  );
  const held = until === 100 ? "" : ", and stays there";
  const back = onFailure === "rollback" ? "taken back" : "left as it is";
  return `${each.join(", then ")}${held}; ${back} if its errors or latencies are worse than stable's`;
}

export interface Permissions {
  readonly strategies: readonly Schedule["strategy"][];
  /** In one sentence: what the migrations are, and what they permit. */
  readonly words: string;
}

/**
 * Which ways to upgrade the release's migrations permit. Expand scripts keep the running release alive, so all of them;
 * after a contract script there is no way back to a release that needs what it took away.
 */
export function permittedStrategies(record: ReleaseRecord, next: ReleaseRecord): Permissions {
  const all = ["blueGreen", "canary", "recreate"] as const;
  const due = (next.contracted ?? []).filter((script) => record.contracted?.includes(script) !== true);
  const candidate = target(next);
  const waiting = (candidate?.contracts ?? []).filter((each) => next.contracted?.includes(each) !== true);
  if (next.migrate !== true) {
    return {
      strategies: all,
      words: `the database ${candidate?.migrations === undefined ? "stays as it is" : "is checked, nothing new to migrate"}: blueGreen, canary and recreate are permitted`,
    };
  }
  const contract =
    due.length > 0
      ? `; ${due.join(", ")} takes something away: releases without it can't come back`
      : waiting.length > 0
        ? `; ${waiting.join(", ")} waits until no release needs the old schema`
        : "";
  return {
    strategies: all,
    words: `migrations up to ${candidate?.migrations?.newest} only add to the database before anything is installed, the running release goes on with it: blueGreen, canary and recreate are permitted${contract}`,
  };
}

/** How one gets back once this record is live. */
export function wayBack(next: ReleaseRecord): string {
  const { previous } = next;
  if (next.goal !== "live") return "`bluegreen abort` cancels the candidate; users are not touched";
  if (previous === null) return "there is no earlier release to go back to";
  const lost = missingFrom(previous, next.contracted ?? []);
  const id = idOrNull(previous);
  if (lost !== undefined) return `no rollback to ${id}: it needs what ${lost} takes away`;
  return rollbackIsInstant(next)
    ? `rollback to ${id} is instant, it stays warm in ${otherSlot(next.active)}`
    : `rollback to ${id} is not instant: it is installed again`;
}
