/** Which servers are out of rotation, as drivers keep it in a file; HAProxy has a format of its own. */
import { existsSync, readFileSync } from "node:fs";
import { SLOTS } from "../../../release/slot";
import type { PerSlot, Slot } from "../../../release/slot";

export interface OutOfRotation extends PerSlot<readonly string[]> {
  /** Those of them whose clients stay on them. Absent: none. */
  readonly keeping?: PerSlot<readonly string[]> | undefined;
}

const NONE: PerSlot<readonly string[]> = { blue: [], green: [] };
export const NONE_OUT: OutOfRotation = NONE;

export function readOut(file: string): OutOfRotation {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as OutOfRotation) : NONE_OUT;
}

export function keepsClients({ keeping }: OutOfRotation, slot: Slot, server: string): boolean {
  return keeping?.[slot].includes(server) ?? false;
}

/** @param keeps whether the servers' clients stay on them */
export function withoutServers(
  out: OutOfRotation,
  slot: Slot,
  servers: readonly string[],
  keeps: boolean,
): OutOfRotation {
  const before = withServers(out, slot, servers);
  const { keeping = NONE } = before;
  return written({
    ...{ ...before, [slot]: [...before[slot], ...servers] },
    keeping: keeps ? { ...keeping, [slot]: [...keeping[slot], ...servers] } : keeping,
  });
}

export function withServers(out: OutOfRotation, slot: Slot, servers: readonly string[]): OutOfRotation {
  const rest = (all: readonly string[]) => all.filter((server) => !servers.includes(server));
  const { keeping = NONE } = out;
  return written({
    ...{ ...out, [slot]: rest(out[slot]) },
    keeping: { ...keeping, [slot]: rest(keeping[slot]) },
  });
}

/** As earlier versions wrote it, unless a server keeps its clients. */
function written({ keeping = NONE, ...out }: OutOfRotation): OutOfRotation {
  return SLOTS.every((slot) => keeping[slot].length === 0) ? out : { ...out, keeping };
}
