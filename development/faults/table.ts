/** The output: a line for each case, and a table at the end. */
import type { Outcome, FaultResults } from "./results";
import type { Row } from "./row";

export function line({ name }: Pick<Row, "name">, outcome: Outcome): string {
  const { phase, status, broken, seconds, users, message, wayOn } = outcome;
  const where = `${name}@${phase}`;
  if (status === "skipped") return `skipped: ${where}: ${broken.join("; ")}`;
  const met = users === null ? "" : `, ${usersMet(users)}`;
  const ways = wayOn.map(({ command, exit }) => `${command}: ${exit}`).join(", ");
  const text = `${where}: exit ${outcome.exit ?? "?"} (${short(message)}), users get ${serves(outcome)}${met}; ${ways} (${seconds.toFixed(1)} s)`;
  return status === "passed" ? `ok: ${text}` : `FAILED: ${text}\n    ${broken.join("\n    ")}`;
}

export function table({ rows }: FaultResults): string {
  const cells = [
    ["fault", "phase", "", "exit", "users get", "lost", "longest gap", "next steps"],
    ...rows.flatMap(({ name, outcomes }) =>
      outcomes.map((outcome) => [
        name,
        outcome.phase,
        outcome.status,
        String(outcome.exit ?? ""),
        serves(outcome),
        outcome.users === null ? "" : `${outcome.users.failed} of ${outcome.users.sent}`,
        outcome.users === null ? "" : `${Math.round(outcome.users.longestGapMs)} ms`,
        outcome.wayOn.map(({ command }) => command).join(", "),
      ]),
    ),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const body = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
  const all = rows.flatMap(({ outcomes }) => outcomes);
  const count = (status: Outcome["status"]) => all.filter((each) => each.status === status).length;
  return [
    "",
    ...body,
    "",
    `${count("passed")} ended as documented, ${count("failed")} did not, ${count("skipped")} skipped`,
  ].join("\n");
}

function usersMet({ sent, failed, longestGapMs }: NonNullable<Outcome["users"]>): string {
  return `${sent} requests, ${failed} failed, longest gap ${Math.round(longestGapMs)} ms`;
}

export function serves({ end }: Outcome): string {
  return end === null ? "?" : end.serves.map((each) => each.replace(/ \(.*\)$/, "")).join(" and ");
}

function short(message: string): string {
  return message.length > 140 ? `${message.slice(0, 139)}…` : message;
}
