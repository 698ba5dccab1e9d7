/**
 * The record (`release.json`): what *should* run in one environment. It is in git, people edit it, and the web
 * stack is a pure function of it and the environment. Here: its format, what is refused, and what it says.
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

/** How far a sequence goes: verified only, a weight of the requests in per cent, or all the way. */
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

/** As naming.ts makes them. */
export const ServerName = z.string().check(z.regex(/^[a-z0-9-]{1,40}$/));

/** A version that shall never get users again, whoever asks for it. */
export const Ban = z.strictObject({
  version: Version,
  reason: z.string().check(z.minLength(1), z.maxLength(500)),
  /** Who said so, and when. */
  by: z.string().check(z.maxLength(200)),
  at: z.iso.datetime(),
});
export type Ban = z.infer<typeof Ban>;

/** @internal */
export const ReleaseRecord = z.strictObject({
  formatVersion: z.literal(RECORD_FORMAT),
  application: ApplicationName,
  /** Grows by one with every transition; the fencing number everywhere. 0: nothing was released yet. */
  sequence: z.int().check(z.minimum(0)),
  /** The slot that shall be live once this record is applied and its goal is "live". */
  active: z.enum(SLOTS),
  goal: Goal,
  slots: z.strictObject({ blue: z.nullable(Release), green: z.nullable(Release) }),
  /** What was stable before the release in the active slot: what a rollback goes back to. */
  previous: z.nullable(Release),
  /** After promotion the idle slot's servers get the active release too, and both serve. */
  converge: z.optional(z.boolean()),
  /** A person wants an artifact tried again that was aborted or taken back under an earlier sequence. */
  retry: z.optional(z.boolean()),
  /** For this sequence only; else the environment's. */
  schedule: z.optional(ScheduleChoice),
  /**
   * The sequence at which a server was last given again what its slots serve, because base had replaced or added
   * it. It means something while it is greater than the run of what is in a slot.
   */
  heals: z.optional(z.record(ServerName, z.int().check(z.minimum(1)))),
  /** Contract migrations that ran, or run with this sequence: no release may get traffic again that needs the old schema. */
  contracted: z.optional(z.array(ScriptName)),
  /**
   * This sequence brings something new to the database. Without it the migrate step runs as well, where the target has
   * migrations: it finds out whether all that the target needs is there.
   */
  migrate: z.optional(z.boolean()),
  /**
   * With `migrate`, and for this sequence only: what became of scripts without a transaction that did not come to their
   * end. The journal is told so before the migration is planned.
   */
  resolve: z.optional(Resolutions),
  /**
   * Versions that no transition takes. No part of what runs: a ban takes no sequence, and plans nothing.
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

/** @throws InvalidInput where the record is another application's. */
export function refuseOtherApplication(record: ReleaseRecord, application: string, file: string): void {
  if (record.application !== application) {
    throw new InvalidInput(
      `${file} is of application "${record.application}", the environment of "${application}": one of them is the wrong file`,
    );
  }
}

/** The text of the file, as the command writes it. */
export function formatRecord(record: ReleaseRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

/** Identifies the content of a record: two records with one sequence and two digests are somebody's mistake. */
export function recordDigest(record: ReleaseRecord): string {
  const { formatVersion, application, sequence, active, goal, slots, previous, converge, retry } = record;
  const facts = [formatVersion, application, sequence, active, goal, facet(slots.blue), facet(slots.green)];
  const heals = Object.entries(record.heals ?? {}).sort(([one], [other]) => (one < other ? -1 : 1));
  // A record without heals has the digest that it had before there were any: its steps keep their names.
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
  ];
  return createHash("sha256").update(JSON.stringify(all)).digest("hex");
}

/** The release in the slot that this record wants live (or staged, or on a weight). */
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

/** The servers that this sequence heals; where there are any, it does nothing else. */
export function healedServers({ heals = {}, sequence }: ReleaseRecord): string[] {
  return Object.keys(heals)
    .filter((server) => heals[server] === sequence)
    .sort();
}

/** Whether a server was healed since the release came into this slot; an empty slot is healed by this sequence or not. */
export function isHealed(
  { heals = {}, slots, sequence }: ReleaseRecord,
  slot: Slot,
  server: string,
): boolean {
  const healed = heals[server];
  return healed !== undefined && healed > (slots[slot]?.run ?? sequence - 1);
}

/**
 * The slots whose install steps run with this sequence on every server: it installs into them, or empties them. A
 * heal touches none: the slots keep their releases, and their traffic on the other servers.
 */
export function touchedSlots(record: ReleaseRecord): Slot[] {
  if (healedServers(record).length > 0) return [];
  return SLOTS.filter((slot) => record.slots[slot] === null || record.slots[slot].run === record.sequence);
}

/** The release that a slot's endpoints serve once the record is applied; after `converge` both serve the active one. */
export function expectedRelease(record: ReleaseRecord, slot: Slot): Release | null {
  return record.converge === true && record.goal === "live" ? target(record) : record.slots[slot];
}

/** What the install step of a slot puts onto a server. */
export function installedRelease(record: ReleaseRecord, slot: Slot, server: string): Release | null {
  return isHealed(record, slot, server) ? expectedRelease(record, slot) : record.slots[slot];
}

export function idOrNull(release: Release | null): ReleaseId | null {
  return release === null ? null : releaseId(release);
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
      return `slots.${slot}.run is ${run} but "sequence" is ${sequence}: a new release takes the next sequence, and its run equals it`;
    }
  }
  if (blue !== null && green !== null && blue.run === green.run) {
    return `slots.blue.run and slots.green.run are both ${blue.run}: each run installs into one slot`;
  }
  if (previous !== null && previous.run > sequence) {
    return `previous.run is ${previous.run} but "sequence" is ${sequence}`;
  }
  if (slots[active] === null && slots[otherSlot(active)] !== null) {
    return `"active" is "${active}", but slots.${active} is null: there is nothing to serve from it`;
  }
  for (const [server, healed] of Object.entries(record.heals ?? {})) {
    if (healed > sequence) return `heals.${server} is ${healed} but "sequence" is ${sequence}`;
  }
  const [healed] = healedServers(record);
  if (healed !== undefined) {
    const heals = `heals.${healed} is the sequence, ${sequence}`;
    if (slots[active] === null)
      return `${heals}, but slots.${active} is null: there is nothing to heal it with`;
    if (record.goal !== "live")
      return `${heals}, and "goal" is ${JSON.stringify(record.goal)}: a heal is of what is live`;
    const installed = SLOTS.find((slot) => slots[slot]?.run === sequence);
    if (installed !== undefined) {
      return `${heals}, and so is slots.${installed}.run: a heal and a release take a sequence each`;
    }
  }
  if (record.migrate === true && slots[active]?.migrations === undefined) {
    return `"migrate" is true, but slots.${active} has no "migrations"`;
  }
  if (record.resolve !== undefined && record.migrate !== true) {
    return `"resolve" is for the migration of this sequence: it wants "migrate": true beside it`;
  }
  const alone = slots[active] === null ? undefined : missingFrom(slots[active], record.contracted ?? []);
  if (record.migrate === true && alone !== undefined) {
    return `"contracted" names ${alone}, which slots.${active}.contracts does not`;
  }
  if (record.goal !== "live" && slots[active] === null) {
    return `"goal" is ${JSON.stringify(record.goal)}, but slots.${active} is null: there is no candidate`;
  }
  return undefined;
}
