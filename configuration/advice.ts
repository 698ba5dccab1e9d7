/** What to know before approving a plan: risky settings, and what the release's migrations permit. */
import type { Environment } from "./environment";
import { plainSecrets } from "./secret-headers";
import { drains, hasAffinity } from "./sessions";
import { idOrNull, rollbackIsInstant, scheduleOf, target } from "../release/record";
import type { ReleaseRecord } from "../release/record";
import { missingFrom, releaseId } from "../release/release";
import type { Schedule } from "../release/schedule";
import { otherSlot } from "../release/slot";

type Site = Pick<
  Environment,
  "schedule" | "verification" | "topology" | "proxies" | "sessions" | "activation" | "hooks" | "platform"
>;

/** Risky settings, each in one line with its field. */
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
    if (environment.sessions?.affinity === "server")
      warnings.push("strategy recreate: sessions in the application's memory are lost");
  } else if (bakeSeconds === 0) {
    warnings.push("bakeSeconds is 0: the candidate counts as stable without being watched at 100 %");
  }
  if (drainSeconds === 0) {
    warnings.push("drainSeconds is 0: running requests on the old slot get no time to finish");
  }
  if (installs && smoke.length === 0) {
    const checked =
      strategy === "recreate" || next.previous === null
        ? "only the candidate's health is checked, no page that users need"
        : "besides the candidate's health, only status and kind of the pages that users ask for are compared, not what they show";
    warnings.push(`verification.smoke is empty: ${checked}`);
  }
  if (environment.proxies.http.instances === "http2") {
    warnings.push(
      "proxies.http.instances is http2: a gRPC call that fails after its first message is no error for the proxy, so such failures roll no candidate back",
    );
  }
  if (lacksTokens(environment)) {
    warnings.push(
      "platform.webServers.allowMetadata is false, but the database takes Entra's tokens only, which instances get from the metadata address: set it to true if the application opens the database",
    );
  }
  const plain = plainSecrets(environment);
  if (plain.length > 0) warnings.push(plainSecretsWarning(plain, environment));
  if (onFailure === "freeze") {
    warnings.push("onFailure is freeze: a failing candidate keeps its users until a person decides");
  }
  return warnings;
}

/** An application without a database of its own, whose migrations only the migrator runs, does not need them. */
function lacksTokens({ platform }: Pick<Environment, "platform">): boolean {
  if (platform.kind !== "azure" || platform.webServers.os !== "linux") return false;
  return platform.database?.authentication === "entra" && !platform.webServers.allowMetadata;
}

/** A secret as text stays valid: an environment file of an earlier version must go on. */
function plainSecretsWarning(fields: readonly string[], { platform }: Pick<Environment, "platform">): string {
  const instead =
    platform.kind === "local" || fields.every((field) => field.startsWith("hooks."))
      ? `write "env:NAME", and set that variable where the command runs`
      : "check a page that needs no secret, or send the request from a hook";
  return `${fields.join(", ")}: a secret as text is in git and in the synthesized stacks: ${instead}`;
}

/** On the local platform nothing but this takes root's rights from the application. */
export function rootWarning({ platform }: Pick<Environment, "platform">, isRoot: boolean): string | null {
  if (!isRoot || platform.kind !== "local" || platform.user !== undefined) return null;
  return `this command runs as root, and so will the application: name an account without rights in platform.user, such as "www-data" ("root": it keeps root's)`;
}

/** How the schedule moves the requests to the candidate. */
export function trafficOf(
  next: ReleaseRecord,
  environment: Pick<Environment, "schedule" | "sessions">,
): string {
  const { strategy, steps, stepSeconds, bakeSeconds, onFailure } = scheduleOf(next, environment);
  if (next.goal === "staged") return "none until it is promoted";
  if (strategy === "recreate") return "the site stops and starts with it, all requests at once";
  const until = next.goal === "live" ? 100 : next.goal;
  const weights = [...steps.filter((weight) => weight < until), until];
  const share = hasAffinity(environment) ? "% of new clients" : "%";
  const each = weights.map((weight) =>
    weight === 100 ? `100 %, watched for ${bakeSeconds} s` : `${weight} ${share} for ${stepSeconds} s`,
  );
  const pause = until === 100 ? "" : ", and stays there";
  const back = onFailure === "rollback" ? "rolled back" : "frozen";
  const stays =
    until === 100 && drains(environment) ? "; clients of stable stay there while they are active" : "";
  return `${each.join(", then ")}${pause}${stays}; ${back} if its errors or latencies are worse than stable's`;
}

export interface Permissions {
  readonly strategies: readonly Schedule["strategy"][];
  /** One sentence: the migrations, and what they permit. */
  readonly words: string;
}

/**
 * The strategies that the release's migrations permit. Expand scripts keep the running release working, so all are
 * permitted. After a contract script, no rollback to a release that needs what it removed is possible.
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
      ? `; ${due.join(", ")} removes something: releases without this script can't get traffic again`
      : waiting.length > 0
        ? `; ${waiting.join(", ")} waits until no release needs the old schema`
        : "";
  return {
    strategies: all,
    words: `migrations up to ${candidate?.migrations?.newest} only add to the database before anything is installed, and the running release works with it: blueGreen, canary and recreate are permitted${contract}`,
  };
}

/** How to roll back once this record is live. */
export function rollbackPath(next: ReleaseRecord): string {
  const { previous } = next;
  if (next.goal !== "live") return "`bluegreen abort` cancels the candidate; users are not touched";
  if (previous === null) return "there is no earlier release to go back to";
  const lost = missingFrom(previous, next.contracted ?? []);
  const id = idOrNull(previous);
  if (lost !== undefined) return `no rollback to ${id}: it needs what ${lost} removes`;
  return rollbackIsInstant(next)
    ? `rollback to ${id} is instant, it keeps running in ${otherSlot(next.active)}`
    : `rollback to ${id} is not instant: it is installed again`;
}

/** @returns a warning if a rollback goes to the very release that the rollback before it left; null otherwise. */
export function returnWarning(before: ReleaseRecord, next: ReleaseRecord): string | null {
  const [from, to] = [target(before), target(next)];
  if (before.rollsBack !== true || next.rollsBack !== true || from === null || to === null) return null;
  // A retry of that rollback.
  if (releaseId(from) === releaseId(to)) return null;
  return `the last sequence was a rollback from ${releaseId(to)}: this one gives it to users again`;
}
