/** Writes and reads an environment's receipts, one file per sequence. */
import { InvalidInput } from "../../release/failure";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { workFolder } from "../../configuration/naming";
import { formatReceipt, Receipt } from "../../release/receipt";
import { parseFile } from "../../release/validation";
import { writeAtomically } from "../../system/atomic-file";
import type { Project } from "../project/project";
import { exists, namesIn } from "../project/files";

const NAME = /^(\d+)\.json$/;

/** @returns the file, relative to the project. */
export function writeReceipt(project: Project, receipt: Receipt): string {
  const file = receiptFile(project, receipt.sequence);
  const path = join(project.folder, file);
  mkdirSync(dirname(path), { recursive: true });
  writeAtomically(path, formatReceipt(receipt), 0o644);
  return file;
}

export function hasReceipt(project: Project, sequence: number): boolean {
  return exists(join(project.folder, receiptFile(project, sequence)));
}

/** @throws InvalidInput if this sequence has none, or it is damaged. */
export function readReceipt(project: Project, sequence: number): Receipt {
  const path = findReceipt(project, sequence);
  return parseFile(Receipt, readFileSync(path, "utf8"), receiptFile(project, sequence));
}

/** @returns the absolute path. @throws InvalidInput if this sequence has none. */
export function findReceipt(project: Project, sequence: number): string {
  if (hasReceipt(project, sequence)) return join(project.folder, receiptFile(project, sequence));
  throw new InvalidInput(
    `no receipt of record ${sequence} in ${folderOf(project)}: \`bluegreen history\` lists the receipts`,
  );
}

/** @throws InvalidInput if nothing was released yet. */
export function newestReceipt(project: Project): string {
  const newest = sequences(project).at(-1);
  if (newest !== undefined) return findReceipt(project, newest);
  throw new InvalidInput(`no receipt in ${folderOf(project)} yet: the next release writes one`);
}

/** Oldest first. @param unreadable gets the problem of each skipped receipt. */
export function readReceipts(project: Project, unreadable: (problem: string) => void): Receipt[] {
  return sequences(project).flatMap((sequence) => {
    try {
      return [readReceipt(project, sequence)];
    } catch (error) {
      unreadable((error as Error).message);
      return [];
    }
  });
}

/** Newest first, read one after another. @throws InvalidInput at one that is damaged. */
export function* receiptsFromNewest(project: Project): Generator<Receipt> {
  for (const sequence of sequences(project).reverse()) yield readReceipt(project, sequence);
}

/** The receipts' files, oldest first, valid or not; relative to the project. */
export function receiptFiles(project: Project): string[] {
  return sequences(project).map((sequence) => receiptFile(project, sequence));
}

function sequences(project: Project): number[] {
  return namesIn(join(project.folder, folderOf(project)))
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((one, other) => one - other);
}

function folderOf({ environment }: Project): string {
  return environment.receipts ?? `${workFolder(environment)}/receipts`;
}

function receiptFile(project: Project, sequence: number): string {
  return `${folderOf(project)}/${sequence}.json`;
}
