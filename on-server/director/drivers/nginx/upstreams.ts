/**
 * NGINX's groups of servers: each slot by itself (`slot_blue`), and with the other slot as its backup (`shift_blue`). For
 * the second attempt of a request there is each group without each server (`slot_blue_but_0`): the one that was unreachable.
 *
 * No failure counts against a server (`max_fails=0`). NGINX can't tell an unreachable server from one that broke off because
 * of the request, so that one bad URL would take all servers out of use.
 */
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { otherSlot, SLOTS } from "../../../../release/slot";
import type { Slot } from "../../../../release/slot";
import type { OutOfRotation } from "../rotation";

// NGINX closes idle connections before the application does, so no request meets a closed one. Soon after the last
// request, every remaining connection is in use.
export const KEPT = "    keepalive 128;\n    keepalive_timeout 500ms;\n";

export function upstreams(spec: DirectorSpec, out: OutOfRotation): string {
  const groups = (without?: number) => SLOTS.flatMap((slot) => groupsOf(spec, out, slot, without));
  const most = Math.max(...SLOTS.map((slot) => spec.endpoints[slot].length));
  return [...groups(), ...Array.from({ length: most }, (_, index) => groups(index)).flat()].join("");
}

function groupsOf(
  { endpoints }: DirectorSpec,
  out: OutOfRotation,
  slot: Slot,
  without: number | undefined,
): string[] {
  if (without !== undefined && without >= endpoints[slot].length) return [];
  const servers = (of: Slot, isDown: (index: number) => boolean, option = "") =>
    endpoints[of]
      .map(({ server, host, port }, index) => {
        const down = out[of].includes(server) || isDown(index) ? " down" : "";
        return `    server ${host}:${port} max_fails=0${option}${down};\n`;
      })
      .join("");
  const own = servers(slot, (index) => index === without);
  const backup = servers(otherSlot(slot), () => false, " backup");
  const suffix = without === undefined ? "" : `_but_${without}`;
  const group = (name: string, text: string) => `  upstream ${name}_${slot}${suffix} {\n${text}${KEPT}  }\n`;
  return [group("slot", own), group("shift", own + backup)];
}

/** What completes a group's name: from the slot and the address that was tried. Only failures need it. */
export function triedMap({ endpoints }: DirectorSpec, slotVariable: string, name: string): string {
  const entries = SLOTS.flatMap((slot) =>
    endpoints[slot].map(({ host, port }, index) => {
      const address = `${host}:${port}`.replaceAll(".", "[.]");
      return `    "~^${slot} ${address}$" _but_${index};\n`;
    }),
  );
  return `  map "${slotVariable} $upstream_addr" ${name} {
    default '';
${entries.join("")}  }
`;
}
