/** ban: a version that shall never get users again, said once and in the record, for everybody. */
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
  common(program.command("ban").argument("<version>", "as in 1.3.0"))
    .description(
      "keep a version from ever getting users again: release, promote, retry and rollback refuse it",
    )
    .option("--reason <why>", "shown to whoever is refused")
    .option("--lift", "allow it again")
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
        printResult(options, { banned: next.banned ?? [] }, words(next, version, options));
      } finally {
        lock.release();
      }
    });
}

/** A slip of the pen would be a false safety; what is banned before it was ever released is no mistake. */
function warnOfUnknown(project: Project, record: ReleaseRecord, version: string): void {
  const past = readReceipts(project, () => undefined).map((receipt) => receipt.record.after);
  const known = [...past, record].flatMap(({ slots, previous }) =>
    [slots.blue, slots.green, previous].flatMap((release) => (release === null ? [] : [release.version])),
  );
  if (known.length === 0 || known.includes(version)) return;
  console.error(`note: ${version} was never released here; known are ${[...new Set(known)].join(", ")}`);
}

function change(record: ReleaseRecord, version: string, { reason, lift }: BanOptions): ReleaseRecord {
  if (lift === true) return liftBan(record, version);
  if (reason === undefined) {
    throw new InvalidInput(`why is ${version} banned? Say it with --reason; nothing was changed`);
  }
  const by = formatPerson(currentPerson()).slice(0, 200);
  return ban(record, { version, reason, by, at: new Date().toISOString() });
}

function words(record: ReleaseRecord, version: string, { lift }: BanOptions): string {
  if (lift === true) return `${version} may be released again; commit the record`;
  const live =
    target(record)?.version === version
      ? `. It is what the record asks for now (${idOrNull(target(record))}): \`bluegreen rollback\` or a new release takes it away`
      : "";
  return `${version} is banned; commit the record, so that everybody is refused${live}`;
}
