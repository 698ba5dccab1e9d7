/** The facts about a sequence that its hooks get. */
import type { When } from "../release/hooks";
import { proxyPlaces, slotEndpoints } from "./naming";
import type { Endpoint } from "./naming";
import type { DeploymentEnvironment } from "./custom-environment";
import { idOrNull, scheduleOf, target } from "../release/record";
import type { Goal, ReleaseRecord } from "../release/record";
import type { Release } from "../release/release";
import type { Schedule } from "../release/schedule";
import type { Slot } from "../release/slot";

/** The JSON on a hook's stdin, or in its request. Explained in docs/hooks.md. Contains no secrets. */
export interface HookFacts {
  readonly formatVersion: 1;
  readonly when: When;
  /** A one-line summary, for a chat. */
  readonly text: string;
  readonly application: string;
  readonly environment: string;
  readonly sequence: number;
  readonly goal: Goal;
  readonly strategy: Schedule["strategy"];
  /** The release's slot. */
  readonly slot: Slot;
  /** null if nothing is released (a cancelled first release). */
  readonly release: { readonly id: string; readonly version: string } | null;
  /** The recorded target of a rollback. */
  readonly previous: { readonly id: string; readonly version: string } | null;
  /** The slot's endpoints, at which the candidate answers before it gets users. */
  readonly endpoints: readonly Endpoint[];
  readonly proxies: readonly { readonly name: string; readonly host: string; readonly port: number }[];
}

/** How a sequence ended, for `after release` hooks. */
export interface HookOutcome {
  readonly outcome: string;
  readonly exitCode: number;
  readonly reason: string;
  /** The receipt file, relative to the project; null if none was written. */
  readonly receipt: string | null;
}

/** @param ended only for `after release`. */
export function hookFacts(
  environment: DeploymentEnvironment,
  record: ReleaseRecord,
  when: When,
  ended?: HookOutcome,
): HookFacts & Partial<HookOutcome> {
  const { application, name } = environment;
  const release = target(record);
  const what = idOrNull(release) ?? "no release";
  const happening = ended === undefined ? `${when} of ${what}` : `${what} ${ended.outcome}: ${ended.reason}`;
  return {
    formatVersion: 1,
    when,
    text: `${application} (${name}), record ${record.sequence}: ${happening}`,
    application,
    environment: name,
    sequence: record.sequence,
    goal: record.goal,
    strategy: scheduleOf(record, environment).strategy,
    slot: record.active,
    release: named(release),
    previous: named(record.previous),
    endpoints: slotEndpoints(environment)[record.active],
    proxies: proxyPlaces(environment).map((proxy) => ({
      name: proxy.name,
      host: proxy.host,
      port: proxy.port,
    })),
    ...ended,
  };
}

function named(release: Release | null): HookFacts["release"] {
  return release === null ? null : { id: idOrNull(release)!, version: release.version };
}
