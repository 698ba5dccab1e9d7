/** ban: the record refuses a version from now on, for every operator and pipeline. */
import { InvalidInput } from "../../release/failure";
import type { Command } from "commander";
import * as z from "zod/mini";
import { ban, liftBan } from "../../release/bans";
import { idOrNull, target } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { Version } from "../../release/release";
import { describeIssues } from "../../release/validation";
import { formatPerson, currentPerson } from "../project/person";
import { readRecord, writeRecord } from "../project/project";
import type { Project } from "../project/project";
import { lockProject } from "../project/project-lock";
import { readReceipts } from "../receipts/receipt-store";
import { common, open, printResult } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";

interface BanOptions extends CommonOptions {
  readonly reason?: string;
  readonly lift?: boolean;
}

export function addBan(program: Command): void {
  common(program.command("ban").argument("<version>", "the version, as in 1.3.0"))
    .description("ban a version: release, promote, retry and rollback refuse it")
    .option("--reason <why>", "shown with each refusal")
    .option("--lift", "lift the ban")
    .action(async (version: string, options: BanOptions) => {
      const checked = z.safeParse(Version, version);
      if (!checked.success) {
        throw new InvalidInput(describeIssues(checked.error).replace(/^the whole: /, ""));
      }
      const project = open(options);
      const lock = await lockProject(project, `ban of ${version}`);
      try {
        const record = readRecord(project);
        const next = change(record, version, options);
        if (options.lift !== true) warnOfUnknown(project, record, version);
        writeRecord(project, next);
        printResult(options, { banned: next.banned ?? [] }, describe(next, version, options));
      } finally {
        lock.release();
      }
    });
}

/** A typo would give false safety; but banning a version before its first release is legitimate. */
function warnOfUnknown(project: Project, record: ReleaseRecord, version: string): void {
  const past = readReceipts(project, () => undefined).map((receipt) => receipt.record.after);
  const known = [...past, record].flatMap(({ slots, previous }) =>
    [slots.blue, slots.green, previous].flatMap((release) => (release === null ? [] : [release.version])),
  );
  if (known.length === 0 || known.includes(version)) return;
  console.error(
    `note: ${version} was never released here; known versions: ${[...new Set(known)].join(", ")}`,
  );
}

function change(record: ReleaseRecord, version: string, { reason, lift }: BanOptions): ReleaseRecord {
  if (lift === true) return liftBan(record, version);
  if (reason === undefined) {
    throw new InvalidInput(`a ban of ${version} needs a --reason; nothing was changed`);
  }
  const by = formatPerson(currentPerson()).slice(0, 200);
  return ban(record, { version, reason, by, at: new Date().toISOString() });
}

function describe(record: ReleaseRecord, version: string, { lift }: BanOptions): string {
  if (lift === true) return `${version} may be released again; commit the record`;
  const live =
    target(record)?.version === version
      ? `. It is still the record's target (${idOrNull(target(record))}): run \`bluegreen rollback\` or release another version`
      : "";
  return `${version} is banned; commit the record, so that the ban applies everywhere${live}`;
}
