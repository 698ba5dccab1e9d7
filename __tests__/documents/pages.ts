/** The documents as a reader of this repository has them: pages, their blocks of code, headings and links. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

export const REPOSITORY = resolve(__dirname, "../..");

export interface Page {
  /** Relative to the repository. */
  readonly file: string;
  readonly text: string;
}

export interface Block {
  readonly page: string;
  /** Of its fence, from 1. */
  readonly line: number;
  /** What stands behind the fence; empty where nothing does. */
  readonly language: string;
  readonly text: string;
  /** `<!-- run -->`, `<!-- continues -->` or `<!-- syntax only: why -->` in the line above the fence. */
  readonly note: Note | null;
}

interface Note {
  readonly kind: "run" | "continues" | "syntax only";
  readonly why: string;
}

const NOTE = /^<!-- (run|continues|syntax only)(?:: (.+))? -->$/;

export function readPages(): Page[] {
  // Not the folders in there: docs/api is generated.
  const docs = readdirSync(join(REPOSITORY, "docs"));
  const root = readdirSync(REPOSITORY).filter((name) => name.endsWith(".md"));
  const files = [...root, ...docs.filter((name) => name.endsWith(".md")).map((name) => join("docs", name))];
  return files.sort().map((file) => ({ file, text: readFileSync(join(REPOSITORY, file), "utf8") }));
}

/** @throws Error where a fence is not closed. */
export function blocksOf({ file, text }: Page): Block[] {
  const blocks: Block[] = [];
  const lines = text.split("\n");
  let begun: { at: number; indent: string; fence: string; language: string } | undefined;
  lines.forEach((line, index) => {
    const [, indent = "", fence = "", language = ""] = /^( *)(`{3,}|~{3,})(.*)$/.exec(line) ?? [];
    if (fence === "") return;
    if (begun === undefined) {
      begun = { at: index, indent, fence, language: language.trim() };
      return;
    }
    if (!fence.startsWith(begun.fence) || language.trim() !== "") return;
    const { at } = begun;
    const body = lines.slice(at + 1, index).map((each) => each.replace(new RegExp(`^${begun!.indent}`), ""));
    blocks.push({
      page: file,
      line: at + 1,
      language: begun.language,
      text: `${body.join("\n")}\n`,
      note: noteAbove(lines, at),
    });
    begun = undefined;
  });
  if (begun !== undefined) throw new Error(`${file}:${begun.at + 1}: the block is not closed`);
  return blocks;
}

export function at({ page, line }: Pick<Block, "page" | "line">): string {
  return `${page}:${line}`;
}

/** The text without its blocks, line for line. */
export function prose({ text }: Page): string[] {
  let fence: string | undefined;
  return text.split("\n").map((line) => {
    const found = /^ *(`{3,}|~{3,})/.exec(line)?.[1];
    if (found !== undefined && (fence === undefined || found.startsWith(fence))) {
      fence = fence === undefined ? found : undefined;
      return "";
    }
    return fence === undefined ? line : "";
  });
}

/** The names that GitHub gives to a page's headings, and those that the page gives itself. */
export function anchorsOf(page: Page): Set<string> {
  const known = new Set<string>();
  for (const line of prose(page)) {
    for (const [, id] of line.matchAll(/<a id="([^"]+)">/g)) known.add(id!);
    const heading = /^#{1,6} +(.+?) *#*$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const slug = slugOf(heading);
    let [anchor, times] = [slug, 0];
    while (known.has(anchor)) anchor = `${slug}-${(times += 1)}`;
    known.add(anchor);
  }
  return known;
}

export interface Link {
  readonly page: string;
  readonly line: number;
  readonly target: string;
}

export function linksOf(page: Page): Link[] {
  return prose(page).flatMap((line, index) =>
    [...line.replace(/`[^`]*`/g, "").matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => ({
      page: page.file,
      line: index + 1,
      target: target!,
    })),
  );
}

/** @returns the file relative to the repository, and the anchor; null for what is elsewhere. */
export function destinationOf({ page, target }: Link): { file: string; anchor: string | null } | null {
  if (/^[a-z]+:/.test(target)) return null;
  const [path = "", anchor = null] = target.split("#");
  return { file: path === "" ? page : join(dirname(page), decodeURI(path)), anchor };
}

function noteAbove(lines: readonly string[], fence: number): Note | null {
  const above = lines[fence - 1]?.trim() === "" ? lines[fence - 2] : lines[fence - 1];
  const [, kind, why = ""] = NOTE.exec(above?.trim() ?? "") ?? [];
  return kind === undefined ? null : { kind: kind as Note["kind"], why };
}

function slugOf(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[`*]|<[^>]*>/g, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, "")
    .replaceAll(" ", "-");
}
