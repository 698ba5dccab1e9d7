/**
 * The receipt of what was done by hand on the proxies, under the sequence that takes it over. `who` is unknown: proxies
 * don't know their operators.
 */
import { EXIT } from "../../release/exit-code";
import { scheduleOf } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import type { Receipt } from "../../release/receipt";
import type { Findings } from "../../configuration/recovery";
import type { MovedByHand } from "../../configuration/recovery-by-hand";
import type { Project } from "../project/project";
import { UNKNOWN_PERSON } from "./collected-receipt";

export function receiptByHand(
  { environment }: Project,
  record: ReleaseRecord,
  { at, reason, from, to, before, proxies }: MovedByHand,
  findings: Findings,
): Receipt {
  const journals = findings.proxies.flatMap(({ proxy, journal = [] }) =>
    proxies.includes(proxy) ? [{ proxy, journal: [...journal] }] : [],
  );
  const times = [at, ...journals.flatMap(({ journal }) => journal.map((entry) => entry.at))];
  const iso = (time: number): string => new Date(time).toISOString();
  const [first, last] = [Math.min(...times), Math.max(...times)];
  return {
    formatVersion: 1,
    application: record.application,
    environment: environment.name,
    sequence: record.sequence,
    action: "rollback",
    who: UNKNOWN_PERSON,
    ...{ startedAt: iso(first), endedAt: iso(last), seconds: (last - first) / 1000 },
    ...{ from: from.releaseId, to: to.releaseId, outcome: "rolledBack", exitCode: EXIT.done },
    reason: `by hand on ${proxies.join(", ")}: ${reason}`,
    goal: record.goal,
    schedule: scheduleOf(record, environment),
    record: { before, after: record },
    plan: null,
    proxies: journals,
    requests: null,
    notMeasured: "users were moved by hand, without this command",
    hooks: [],
    warnings: [],
    freezeOverride: null,
  };
}
