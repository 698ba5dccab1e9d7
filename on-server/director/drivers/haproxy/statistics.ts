/** HAProxy's tables as text, by the column names in their first line: `show stat` and `show servers state`. */
import { otherSlot } from "../../../../release/slot";
import type { Slot } from "../../../../release/slot";
import { backendNames, FAILOVER } from "./traffic-map";

/** A line of HAProxy's output, by its columns. */
export type Row = ReadonlyMap<string, string>;

export function table(text: string, separator: string): Row[] {
  const [header = "", ...rows] = text.split("\n");
  const columns = header.replace(/^# /, "").split(separator);
  return rows.map((row) => {
    const cells = row.split(separator);
    return new Map(columns.map((column, index) => [column, cells[index] ?? ""]));
  });
}

/** The backends of a slot that answer users. */
export function usersBackends(slot: Slot): string[] {
  const { serve, shift, hold, page } = backendNames(slot);
  return [serve, shift, hold, page];
}

export function backendRows(rows: readonly Row[], backends: readonly string[]): Row[] {
  return rows.filter((row) => row.get("svname") === "BACKEND" && backends.includes(row.get("pxname")!));
}

/** The rows of a slot's servers in its backends for users. */
export function serverRows(rows: readonly Row[], slot: Slot): Row[] {
  const backends = usersBackends(slot);
  return rows.filter((row) => {
    const server = row.get("svname")!;
    return server !== "BACKEND" && !server.startsWith(FAILOVER) && backends.includes(row.get("pxname")!);
  });
}

/** The rows of one server of a slot, wherever it answers users. */
export function rowsOfServer(rows: readonly Row[], slot: Slot, server: string): Row[] {
  const standsIn = failoverRows(rows, otherSlot(slot));
  return [
    ...serverRows(rows, slot).filter((row) => row.get("svname") === server),
    ...standsIn.filter((row) => row.get("svname") === `${FAILOVER}${server}`),
  ];
}

/** The other slot's servers that stand in for a slot's. */
export function failoverRows(rows: readonly Row[], slot: Slot): Row[] {
  const { shift } = backendNames(slot);
  return rows.filter((row) => row.get("pxname") === shift && row.get("svname")!.startsWith(FAILOVER));
}

export function sum(counted: readonly Row[], ...columns: readonly string[]): number {
  return counted.reduce(
    (total, row) => columns.reduce((all, column) => all + Number(row.get(column) ?? 0), total),
    0,
  );
}
