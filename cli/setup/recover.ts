/** `bluegreen recover`: rebuilds a record that is lost, damaged or older than what runs. */
import { Failure, InvalidInput } from "../../release/failure";
import { constants, copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { EXIT } from "../../release/exit-code";
import { formatRecord, target } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { recoverRecord } from "../../configuration/recovery";
import { recoverByHand } from "../../configuration/recovery-by-hand";
import { releaseId } from "../../release/release";
import { writeRecord } from "../project/project";
import type { Project } from "../project/project";
import { lockProject } from "../project/project-lock";
import { ask, canAsk, DRAWN } from "../terminal/questions";
import type { Progress } from "../terminal/progress";
import type { TerraformBinary } from "../terraform/binary";
import { receiptByHand } from "../receipts/receipt-by-hand";
import { writeReceipt } from "../receipts/receipt-store";
import { findTraces } from "./recovery-findings";

export interface RecoverOptions {
  readonly yes?: boolean;
  readonly json?: boolean;
}

export interface Recovered {
  readonly outcome: "recovered" | "nothing-to-recover";
  readonly record: ReleaseRecord | null;
  /** exact: the record applied last, by its digest. reconstructed: one that matches what users get. */
  readonly proof: "exact" | "reconstructed" | null;
  /** The source of the record, or why there is nothing to do. */
  readonly reason: string;
  readonly unknown: readonly string[];
  /** The new name of the previous file. */
  readonly kept: string | null;
}

/** @throws Refusal if proxies disagree or an artifact is missing; InvalidInput if --yes is missing without a terminal. */
export async function recover(
  project: Project,
  { yes, json }: RecoverOptions,
  tools: { readonly progress: Progress; terraform(): Promise<TerraformBinary> },
): Promise<Recovered> {
  const { progress } = tools;
  const lock = await lockProject(project, "recover", { progress });
  try {
    progress.now("reading the proxies, Terraform's state and the work folder");
    const findings = await findTraces(project, () => tools.terraform());
    const { recovery, byHand } = recoverByHand(findings) ?? {
      recovery: recoverRecord(findings),
      byHand: null,
    };
    progress.stop();
    if (recovery.outcome === "nothing-to-recover") {
      const { outcome, reason } = recovery;
      return { outcome, record: null, proof: null, reason, unknown: [], kept: null };
    }
    const { record, proof, from, unknown } = recovery;
    if (json !== true || canAsk()) show(recovery);
    if (yes !== true) await requireYes(project.environment.record);
    const kept = keepLost(project);
    writeRecord(project, record);
    if (byHand !== null) writeReceipt(project, receiptByHand(project, record, byHand, findings));
    return { outcome: "recovered", record, proof, reason: from, unknown, kept };
  } finally {
    progress.stop();
    lock.release();
  }
}

export function formatRecovered(
  project: Project,
  { outcome, record, proof, reason, kept }: Recovered,
): string {
  if (outcome === "nothing-to-recover") return `nothing to recover: ${reason}`;
  const active = target(record!);
  const recovered = `record ${record!.sequence}, ${active === null ? "nothing" : releaseId(active)} in ${record!.active}`;
  const lost = kept === null ? "" : `; the previous file is ${kept} now`;
  const how = proof === "exact" ? "exactly as applied" : "reconstructed to match what users get";
  return `${project.environment.record} is recovered (${recovered}), ${how}${lost}`;
}

function show({
  record,
  proof,
  from,
  unknown,
}: {
  readonly record: ReleaseRecord;
  readonly proof: string;
  readonly from: string;
  readonly unknown: readonly string[];
}): void {
  console.error(`${formatRecord(record)}${proof}, from ${from}`);
  for (const sentence of unknown) console.error(`  ${sentence}`);
}

async function requireYes(file: string): Promise<void> {
  if (!canAsk()) {
    throw new InvalidInput(`recover would write ${file}: check what it found, then add --yes`);
  }
  const agreed = await ask(({ confirm }) =>
    confirm({ message: `Write this to ${file}?`, default: true }, DRAWN),
  );
  if (!agreed) throw new Failure(`${file} is unchanged`, EXIT.refused);
}

/** Keeps the damaged file as evidence. */
function keepLost({ folder, environment }: Project): string | null {
  const path = join(folder, environment.record);
  if (!existsSync(path)) return null;
  const time = new Date().toISOString().replaceAll(":", "-");
  const kept = `${environment.record}.lost-${time}`;
  copyFileSync(path, join(folder, kept), constants.COPYFILE_EXCL);
  return kept;
}
