/** Which schema a release needs, and so what the database does with a sequence: the guards of expand and contract. */
import { idOrNull, target } from "./record";
import type { ReleaseRecord } from "./record";
import { missingFrom } from "./release";
import type { ReleaseId } from "./release";
import { numberOf } from "./migrations/scripts";

/**
 * Whether the candidate brings something new to the database, told by the bundle of what is stable, and which contract
 * scripts are due: those without whose objects every release works that gets traffic with this sequence, or can get it
 * again. The others wait; the next release looks again. The migrate step runs in any case: the journal alone knows what
 * is applied.
 * @param record the next one, with its candidate. @param stableId what users get until then.
 */
export function withMigration(record: ReleaseRecord, stableId: ReleaseId | null): ReleaseRecord {
  const candidate = target(record);
  if (candidate?.migrations === undefined) return record;
  const { contracts = [], migrations } = candidate;
  const { contracted = [], slots, previous } = record;
  const others = [slots.blue, slots.green, previous].filter((each) => each !== null && each !== candidate);
  const due = contracts.filter(
    (script) =>
      !contracted.includes(script) && others.every((each) => missingFrom(each!, [script]) === undefined),
  );
  const stable = others.find((each) => idOrNull(each) === stableId)?.migrations;
  const isNewer =
    stable === undefined ||
    numberOf(migrations.newest) > numberOf(stable.newest) ||
    (migrations.newest === stable.newest && migrations.sha256 !== stable.sha256);
  if (!isNewer && due.length === 0) return record;
  return {
    ...record,
    migrate: true,
    ...(due.length === 0 ? {} : { contracted: [...contracted, ...due] }),
  };
}

/**
 * Whether contract scripts may run with this sequence: it is a release, or a release that is tried again. All others (a
 * promotion, a rollback, an abort, a heal) check that the database has what their release needs, and a release needs no
 * contract script: so one that can't be run never stands in the way back.
 */
export function bringsMigrations(record: ReleaseRecord): boolean {
  return record.migrate === true || (target(record)?.run === record.sequence && record.retry !== true);
}
