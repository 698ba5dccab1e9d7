/** Which schema a release needs, and so which migrations a sequence runs: the rules of expand and contract. */
import { idOrNull, target } from "./record";
import type { ReleaseRecord } from "./record";
import { missingFrom } from "./release";
import type { ReleaseId } from "./release";
import { numberOf } from "./migrations/scripts";

/**
 * Compares the candidate's bundle with stable's to find whether it brings new migrations, and finds the contract scripts
 * that are due. A script is due if every other release that gets traffic in this sequence, or can get it again, works
 * without what it removes. The others wait until the next release checks again. The migrate step always runs, because only
 * the journal knows what is applied.
 * @param record the next record, with its candidate. @param stableId what users get until then.
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
 * Whether contract scripts may run in this sequence: only in a release or its retry. A promotion, rollback, abort or heal
 * only checks that the database has what its release needs. No release needs a contract script, so a failing one never
 * blocks a rollback.
 */
export function bringsMigrations(record: ReleaseRecord): boolean {
  return record.migrate === true || (target(record)?.run === record.sequence && record.retry !== true);
}
