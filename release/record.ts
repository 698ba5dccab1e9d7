/**
 * The record (`release.json`): what *should* run in one environment. It is in git and can be edited. The web stack is a
 * pure function of record and environment. This file has its format, its validation, and functions that read it.
 */
import { createHash } from "node:crypto";
import * as z from "zod/mini";
import { ApplicationName } from "./patterns";
import { Resolutions } from "./resolution";
import { InvalidInput } from "./failure";
import { missingFrom, Release, releaseId, ScriptName, Version } from "./release";
import type { ReleaseId } from "./release";
import { resolveSchedule, ScheduleChoice } from "./schedule";
import type { Schedule } from "./schedule";
import { otherSlot, SLOTS } from "./slot";
import type { Slot } from "./slot";
import { parseFile } from "./validation";

const RECORD_FORMAT = 1;

/** How far a sequence goes: verified only, a weight in per cent of the requests, or live. */
export const Goal = z.union(
  [z.literal("staged"), z.int().check(z.minimum(1), z.maximum(99)), z.literal("live")],
  {
    error: () => `must be "staged", a whole number from 1 to 99, or "live"`,
  },
);
export type Goal = z.infer<typeof Goal>;

export function describeGoal(goal: Goal): string {
  return typeof goal === "number" ? `${goal} %` : `"${goal}"`;
}

export const EndSessions = z.enum(["replaced", "all"]);
export type EndSessions = z.infer<typeof EndSessions>;

/** As naming.ts creates them. */
export const ServerName = z.string().check(z.regex(/^[a-z0-9-]{1,40}$/));

/** A version that must never serve users again. */
export const Ban = z.strictObject({
  version: Version,
  reason: z.string().check(z.minLength(1), z.maxLength(500)),
  /** Who banned it; `at` is when. */
  by: z.string().check(z.maxLength(200)),
  at: z.iso.datetime(),
});
export type Ban = z.infer<typeof Ban>;

/** Proxies that a sequence first brings to what the others serve, because they missed a sequence or came back with an old state. */
export const CatchUp = z.strictObject({
  proxies: z.array(ServerName).check(z.minLength(1)),
  /** What the other proxies have live; null: nothing was ever live. */
  release: z.nullable(z.string().check(z.regex(/^[0-9A-Za-z][0-9A-Za-z.-]{0,56}$/))),
  /** Both slots serve that release (after `converge`). */
  shared: z.optional(z.boolean()),
});
export type CatchUp = z.infer<typeof CatchUp>;

/** @internal */
export const ReleaseRecord = z.strictObject({
  formatVersion: z.literal(RECORD_FORMAT),
  application: ApplicationName,
  /** Raised by one in every transition; the fence everywhere. 0: nothing was released yet. */
  sequence: z.int().check(z.minimum(0)),
  /** The slot that will be live once this record is applied and its goal is "live". */
  active: z.enum(SLOTS),
  goal: Goal,
  slots: z.strictObject({ blue: z.nullable(Release), green: z.nullable(Release) }),
  /** The stable release before the one in the active slot: the target of a rollback. */
  previous: z.nullable(Release),
  /** After promotion the idle slot's servers get the active release too, and both slots serve. */
  converge: z.optional(z.boolean()),
  /** Accept an artifact again that was aborted or rolled back in an earlier sequence. */
  retry: z.optional(z.boolean()),
  /**
   * For this sequence only: whether it leaves the live release for one that was live before. Then what users get from the release
   * that is left does not stop it. @default false, but for a `retry` that expects changes
   */
  rollsBack: z.optional(z.boolean()),
  /** For this sequence only. @default the environment's */
  schedule: z.optional(ScheduleChoice),
  /**
   * The sequence that last healed a server, because base had replaced or added it. It matters while it is greater than
   * the run of a slot's release.
   */
  heals: z.optional(z.record(ServerName, z.int().check(z.minimum(1)))),
  /** Contract migrations that have run, or run in this sequence. No release that needs the old schema may get traffic again. */
  contracted: z.optional(z.array(ScriptName)),
  /**
   * This sequence has new migrations. Otherwise, if the target has migrations, the migrate step only checks that the
   * database has all of them.
   */
  migrate: z.optional(z.boolean()),
  /**
   * With `migrate`, for this sequence only: the real status of scripts without a transaction that did not finish. The
   * journal is corrected before the migration is planned.
   */
  resolve: z.optional(Resolutions),
  /**
   * For this sequence only: it waits for no sessions (sessions.drain). "replaced": those of the release in the slot that it
   * installs into end; "all": those of the release that users leave, too. @default none
   */
  endSessions: z.optional(EndSessions),
  /**
   * Proxies without steps in this sequence, because they did not answer an abort or a rollback. They are behind: the next
   * sequence that includes them brings them to the record first.
   * @default none
   */
  leftOut: z.optional(z.array(ServerName)),
  /** For this sequence only. @default none */
  catchUp: z.optional(CatchUp),
  /**
   * The last sequence that the proxies had when this record was written. A proxy with an older state is refused unless it
   * catches up.
   */
  follows: z.optional(z.int().check(z.minimum(0))),
  /**
   * Versions that every transition refuses. A ban does not change what runs: it takes no sequence and plans nothing.
   * @default none
   */
  banned: z.optional(z.array(Ban)),
});
/** What should run: the release of each slot, which slot is active, and the sequence that led there. */
export interface ReleaseRecord extends z.infer<typeof ReleaseRecord> {}

/** The record before the first release. */
export function emptyRecord(application: string): ReleaseRecord {
  return {
    formatVersion: RECORD_FORMAT,
    application,
    sequence: 0,
    active: "blue",
    goal: "live",
    slots: { blue: null, green: null },
    previous: null,
  };
}

/**
 * Reads a record that a person may have edited.
 * @throws InvalidInput one line that names the file, the field, and what it should be.
 */
export function parseRecord(text: string, file: string): ReleaseRecord {
  const record = parseFile(ReleaseRecord, text, file);
  const contradiction = findContradiction(record);
  if (contradiction !== undefined) throw new InvalidInput(`${file}: ${contradiction}`);
  return record;
}

/** @throws InvalidInput if the record belongs to another application. */
export function refuseOtherApplication(record: ReleaseRecord, application: string, file: string): void {
  if (record.application !== application) {
    throw new InvalidInput(
      `${file} is for application "${record.application}", the environment for "${application}": one of them is the wrong file`,
    );
  }
}

/** The file's text, as the command writes it. */
export function formatRecord(record: ReleaseRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

/** Identifies the content of a record. Two records with the same sequence and different digests are a mistake. */
export function recordDigest(record: ReleaseRecord): string {
  const { formatVersion, application, sequence, active, goal, slots, previous, converge, retry } = record;
  const facts = [formatVersion, application, sequence, active, goal, facet(slots.blue), facet(slots.green)];
  const heals = Object.entries(record.heals ?? {}).sort(([one], [other]) => (one < other ? -1 : 1));
  // Without heals, the digest is the same as before heals existed, so steps keep their names.
  const all = [
    ...facts,
    facet(previous),
    converge ?? false,
    retry ?? false,
    ...(heals.length > 0 ? [heals] : []),
    ...(record.contracted === undefined ? [] : [{ contracted: record.contracted }]),
    ...(record.migrate === true ? [{ migrate: true }] : []),
    ...(record.resolve === undefined
      ? []
      : [{ resolve: record.resolve.map(({ script, as }) => [script, as]) }]),
    ...(record.endSessions === undefined ? [] : [{ endSessions: record.endSessions }]),
    ...(record.rollsBack === undefined ? [] : [{ rollsBack: record.rollsBack }]),
    ...proxyFacets(record),
  ];
  return createHash("sha256").update(JSON.stringify(all)).digest("hex");
}

/** The release that this record wants live (or staged, or at a weight). */
export function target(record: ReleaseRecord): Release | null {
  return record.slots[record.active];
}

export function scheduleOf(record: ReleaseRecord, environment: { readonly schedule: Schedule }): Schedule {
  return record.schedule === undefined ? environment.schedule : resolveSchedule(record.schedule);
}

/** Whether this sequence gives the idle slot's servers the active release too, once it is live. */
export function convergesNow(record: ReleaseRecord): boolean {
  const converges = record.converge === true && record.goal === "live" && target(record) !== null;
  return converges && healedServers(record).length === 0;
}

/** The servers that this sequence heals. If there are any, it does nothing else. */
export function healedServers({ heals = {}, sequence }: ReleaseRecord): string[] {
  return Object.keys(heals)
    .filter((server) => heals[server] === sequence)
    .sort();
}

/** Whether a server was healed after this slot got its release; for an empty slot, whether this sequence heals it. */
export function isHealed(
  { heals = {}, slots, sequence }: ReleaseRecord,
  slot: Slot,
  server: string,
): boolean {
  const healed = heals[server];
  return healed !== undefined && healed > (slots[slot]?.run ?? sequence - 1);
}

/**
 * The slots that this sequence installs or empties on every server. A heal touches none: the slots keep their releases,
 * and their traffic on the other servers.
 */
export function touchedSlots(record: ReleaseRecord): Slot[] {
  if (healedServers(record).length > 0) return [];
  return SLOTS.filter((slot) => record.slots[slot] === null || record.slots[slot].run === record.sequence);
}

/** The release that a slot serves once the record is applied; after `converge` both slots serve the active one. */
export function expectedRelease(record: ReleaseRecord, slot: Slot): Release | null {
  return record.converge === true && record.goal === "live" ? target(record) : record.slots[slot];
}

/** The release that a slot's install step installs on a server. */
export function installedRelease(record: ReleaseRecord, slot: Slot, server: string): Release | null {
  return isHealed(record, slot, server) ? expectedRelease(record, slot) : record.slots[slot];
}

/** Whether a rollback only moves traffic, because the previous release is still running in the idle slot. */
export function rollbackIsInstant(record: ReleaseRecord): boolean {
  const idle = record.slots[otherSlot(record.active)];
  return (
    record.converge !== true &&
    idle !== null &&
    record.previous !== null &&
    idOrNull(idle) === idOrNull(record.previous)
  );
}

export function idOrNull(release: Release | null): ReleaseId | null {
  return release === null ? null : releaseId(release);
}

function proxyFacets({ leftOut, catchUp, follows }: ReleaseRecord): unknown[] {
  return [
    ...(leftOut === undefined ? [] : [{ leftOut }]),
    ...(catchUp === undefined
      ? []
      : [{ catchUp: [catchUp.proxies, catchUp.release, catchUp.shared ?? false] }]),
    ...(follows === undefined ? [] : [{ follows }]),
  ];
}

function facet(release: Release | null): unknown {
  if (release === null) return null;
  const { version, run, artifact, contracts, migrations } = release;
  const { url, sha256, newest } = migrations ?? {};
  return [
    ...[version, run, artifact.url, artifact.sha256],
    ...(contracts === undefined ? [] : [contracts]),
    ...(migrations === undefined ? [] : [{ migrations: [url, sha256, newest] }]),
  ];
}

function findContradiction(record: ReleaseRecord): string | undefined {
  const { sequence, active, slots, previous } = record;
  const { blue, green } = slots;
  for (const slot of SLOTS) {
    const run = slots[slot]?.run ?? 0;
    if (run > sequence) {
      return `slots.${slot}.run is ${run} but "sequence" is ${sequence}: a new release takes the next sequence as its run`;
    }
  }
  if (blue !== null && green !== null && blue.run === green.run) {
    return `slots.blue.run and slots.green.run are both ${blue.run}: each run installs into one slot`;
  }
  if (previous !== null && previous.run > sequence) {
    return `previous.run is ${previous.run} but "sequence" is ${sequence}`;
  }
  if (slots[active] === null && slots[otherSlot(active)] !== null) {
    return `"active" is "${active}", but slots.${active} is null: it has no release to serve`;
  }
  for (const [server, healed] of Object.entries(record.heals ?? {})) {
    if (healed > sequence) return `heals.${server} is ${healed} but "sequence" is ${sequence}`;
  }
  const { leftOut = [], catchUp, follows = 0 } = record;
  if (follows >= sequence && sequence > 0)
    return `"follows" is ${follows} but "sequence" is ${sequence}: it names an earlier sequence`;
  const both = catchUp?.proxies.find((proxy) => leftOut.includes(proxy));
  if (both !== undefined) return `"leftOut" and "catchUp" both name ${both}: it can't catch up without steps`;
  const [healed] = healedServers(record);
  if (healed !== undefined) {
    const heals = `heals.${healed} is the sequence, ${sequence}`;
    if (slots[active] === null)
      return `${heals}, but slots.${active} is null: there is no release to heal it with`;
    if (record.goal !== "live")
      return `${heals}, and "goal" is ${JSON.stringify(record.goal)}: only a live release can be healed`;
    const installed = SLOTS.find((slot) => slots[slot]?.run === sequence);
    if (installed !== undefined) {
      return `${heals}, and so is slots.${installed}.run: a heal and a release need separate sequences`;
    }
  }
  if (record.migrate === true && slots[active]?.migrations === undefined) {
    return `"migrate" is true, but slots.${active} has no "migrations"`;
  }
  if (record.resolve !== undefined && record.migrate !== true) {
    return `"resolve" is for the migration of this sequence: it needs "migrate": true`;
  }
  const alone = slots[active] === null ? undefined : missingFrom(slots[active], record.contracted ?? []);
  if (record.migrate === true && alone !== undefined) {
    return `"contracted" names ${alone}, which slots.${active}.contracts does not name`;
  }
  if (record.goal !== "live" && slots[active] === null) {
    return `"goal" is ${JSON.stringify(record.goal)}, but slots.${active} is null: there is no candidate`;
  }
  return undefined;
}
