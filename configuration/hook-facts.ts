/** What a hook is told of the sequence that it runs in. */
import type { When } from "../release/hooks";
import { proxyPlaces, slotEndpoints } from "./naming";
import type { Endpoint } from "./naming";
import type { DeploymentEnvironment } from "./custom-environment";
import { idOrNull, scheduleOf, target } from "../release/record";
import type { Goal, ReleaseRecord } from "../release/record";
import type { Release } from "../release/release";
import type { Schedule } from "../release/schedule";
import type { Slot } from "../release/slot";

/** What a hook gets as JSON: on stdin, or as the body of the request. docs/hooks.md explains it; no secrets. */
export interface HookFacts {
  readonly formatVersion: 1;
  readonly when: When;
  /** All of it in one line, for a chat. */
  readonly text: string;
  readonly application: string;
  readonly environment: string;
  readonly sequence: number;
  readonly goal: Goal;
  readonly strategy: Schedule["strategy"];
  /** Where the release goes. */
  readonly slot: Slot;
  /** null if nothing is released (a first release that is cancelled). */
  readonly release: { readonly id: string; readonly version: string } | null;
  /** As recorded: what a rollback goes back to. */
  readonly previous: { readonly id: string; readonly version: string } | null;
  /** Of the slot: where the candidate answers before users come to it. */
  readonly endpoints: readonly Endpoint[];
  readonly proxies: readonly { readonly name: string; readonly host: string; readonly port: number }[];
}

/** How a sequence ended, for what runs after it. */
export interface HookOutcome {
  readonly outcome: string;
  readonly exitCode: number;
  readonly reason: string;
  /** The receipt's file, relative to the project; null if none was written. */
  readonly receipt: string | null;
}

/** @param ended only after the release. */
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
