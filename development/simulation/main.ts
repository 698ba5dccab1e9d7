/**
 * Simulates many canaries in each cell of a grid and prints how many were rolled back, how late, and after how many failed
 * answers of users. The same seeds give the same figures.
 *
 *     npx tsx development/simulation/main.ts [--runs 1000] [--only TEXT]
 */
import { parseArgs } from "node:util";
import { simulate } from "./canary";
import { CELLS } from "./cells";
import type { Cell } from "./cells";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "1000" }, only: { type: "string", default: "" } },
});

void main();

async function main(): Promise<void> {
  console.log(
    "| cell | rolled back | after, median | 95 % | failed answers, median |\n|---|---|---|---|---|",
  );
  for (const cell of CELLS.filter(({ name }) => name.includes(values.only))) await print(cell);
}

async function print({ name, conditions, schedule }: Cell): Promise<void> {
  const runs = Number(values.runs);
  const bad = [];
  for (let seed = 1; seed <= runs; seed++) {
    const ending = await simulate(conditions, seed, schedule);
    if (!ending.promoted) bad.push(ending);
  }
  const at = (figures: readonly number[], part: number) =>
    [...figures].sort((one, other) => one - other)[Math.floor(part * figures.length)];
  const seconds = bad.map((each) => each.seconds);
  const cells = [
    name,
    `${((100 * bad.length) / runs).toFixed(1)} %`,
    `${at(seconds, 0.5)?.toFixed(1) ?? "-"} s`,
    `${at(seconds, 0.95)?.toFixed(1) ?? "-"} s`,
    at(
      bad.map(({ failed }) => failed),
      0.5,
    ) ?? "-",
  ];
  console.log(`| ${cells.join(" | ")} |`);
  // The first reason, to see why an equal release was rolled back.
  if (bad.length > 0 && values.only !== "") console.log(`<!-- ${bad[0]!.reason} -->`);
}
