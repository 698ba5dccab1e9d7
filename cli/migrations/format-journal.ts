/** Formats a database's journal for people. Its texts come from a database: control characters never reach a terminal. */
import { SCRIPT_STATUSES } from "../../release/migrations/migrator-words";
import { inOneLine } from "../../release/text";
import type { Colours } from "../terminal/colours";
import { shellWord } from "../terminal/shell-word";
import type { KnownJournal, KnownScript } from "./journal";

export function formatJournal(journal: KnownJournal, colours: Colours): string {
  const scripts = [...journal.scripts, ...appliedByLaterReleases(journal)].map(shown);
  const width = Math.max(0, ...scripts.map(({ name }) => name.length));
  const lines = scripts.map((script) => `  ${script.name.padEnd(width)}  ${formatStatus(script, colours)}`);
  return [...heading(journal, scripts, colours), ...lines].join("\n");
}

function heading(
  { source, step }: KnownJournal,
  scripts: readonly KnownScript[],
  colours: Colours,
): string[] {
  if (source === "database") {
    return [scripts.length === 0 ? "no migration ran here yet" : `migrations: ${counts(scripts)}`];
  }
  if (step === null) return ["no migrate step ran here yet"];
  const { name, sequence, exitCode, outcome, reason } = step;
  const of = sequence === null ? inOneLine(name) : `record ${sequence}`;
  const result = inOneLine(reason === null ? outcome : `${outcome}: ${reason}`);
  return [
    `from the migrate step of ${of}: only the operations server reaches the database`,
    `  ${exitCode === 0 ? result : colours.yellow(result)}`,
  ];
}

/** They came with a later release, so they are applied. */
function appliedByLaterReleases({ scripts, ahead }: KnownJournal): KnownScript[] {
  return ahead
    .filter((name) => scripts.every((script) => script.name !== name))
    .map((name) => ({ name, status: "applied", phase: null, release: null, started: null, finished: null }));
}

function shown({ name, release, started, finished, ...others }: KnownScript): KnownScript {
  const text = (value: string | null): string | null => (value === null ? null : inOneLine(value));
  return {
    ...others,
    name: inOneLine(name),
    release: text(release),
    started: text(started),
    finished: text(finished),
  };
}

function formatStatus({ name, status, release, started, finished }: KnownScript, colours: Colours): string {
  const word = status.padEnd(7);
  switch (status) {
    case "applied":
      return `${colours.green(word)}${release === null ? "" : `  with ${release}, ${finished ?? started ?? "time unknown"}`}`;
    case "running": {
      const began =
        release === null ? "" : `began with ${release}${started === null ? "" : `, ${started}`}: `;
      const command = `bluegreen migrations resolve ${shellWord(name)}`;
      return `${colours.red(word)}  ${began}check how far it got, then \`${command} --as applied\` or \`--as pending\``;
    }
    case "pending":
      return `${colours.yellow(word)}  the next migration runs it`;
    case "waiting":
      return `${colours.dim(word)}  until no release needs what it removes`;
  }
}

function counts(scripts: readonly KnownScript[]): string {
  return SCRIPT_STATUSES.flatMap((status) => {
    const count = scripts.filter((script) => script.status === status).length;
    return count === 0 ? [] : [`${count} ${status}`];
  }).join(", ");
}
