/** All rows, in the order in which they are played and reported. */
import { INJECTION_POINTS } from "./injection-points";
import type { InjectionPoint } from "./injection-points";
import type { Row } from "./row";
import { KILLS } from "./rows/kills";
import { INSTANCES } from "./rows/instances";
import { DISKS } from "./rows/disks";
import { ARTIFACTS } from "./rows/artifacts";
import { CANDIDATES } from "./rows/candidates";
import { CLOCKS } from "./rows/clocks";
import { DATABASES } from "./rows/databases";
import { OPERATORS } from "./rows/operators";
import { NETWORKS } from "./rows/networks";
import { PROXIES } from "./rows/proxies";

export const MATRIX: readonly Row[] = [
  ...KILLS,
  ...INSTANCES,
  ...DISKS,
  ...ARTIFACTS,
  ...CANDIDATES,
  ...CLOCKS,
  ...DATABASES,
  ...OPERATORS,
  ...NETWORKS,
  ...PROXIES,
];

/** @param only names of rows, or `row@phase`, with commas. @returns the rows, or an error message. */
export function choose(only: string | undefined): { row: Row; phases: readonly InjectionPoint[] }[] | string {
  const wanted = only?.split(",").map((each) => each.trim());
  const known = new Set(
    MATRIX.flatMap((row) => [row.name, ...phasesOf(row).map((phase) => `${row.name}@${phase}`)]),
  );
  const unknown = wanted?.find((each) => !known.has(each));
  if (unknown !== undefined) return `there is no row ${JSON.stringify(unknown)}: --list names them`;
  return MATRIX.flatMap((row) => {
    const phases = phasesOf(row).filter(
      (phase) => wanted === undefined || wanted.includes(row.name) || wanted.includes(`${row.name}@${phase}`),
    );
    return phases.length === 0 ? [] : [{ row, phases }];
  });
}

export function phasesOf({ phases }: Row): InjectionPoint[] {
  return INJECTION_POINTS.filter((phase) => phases[phase] !== undefined);
}
