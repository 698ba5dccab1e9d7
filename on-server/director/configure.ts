/**
 * configure: writes a proxy's configuration. A proxy that does not run starts with the traffic that the director last
 * set, whatever an earlier proxy of the same kind left here: base may exchange one kind for another, and users notice no
 * more than the restart.
 */
import type { DirectorSpec } from "../../configuration/director-spec";
import { sameTraffic, servingSlots } from "./drivers/driver";
import type { Driver } from "./drivers/driver";
import { KINDS } from "./drivers/kinds";
import type { TrafficAtStart } from "./drivers/kinds";
import { refuseUnreachableInstances } from "./protocol-change";
import type { State, StateStore } from "./state";

/** @throws Failure (refused), before anything is written, if the proxy could not reach the live instances any more. */
export async function configure(spec: DirectorSpec, state: StateStore): Promise<void> {
  const kind = KINDS[spec.proxy.driver];
  const known = stateOrNull(state, true);
  if (known !== null) await refuseUnreachableInstances(spec, servingSlots(known.traffic.intended));
  if (kind.atStart !== undefined && !(await runs(kind.driver(spec)))) takeOver(kind.atStart, spec, state);
  await kind.configure(spec);
}

function takeOver({ read, write }: TrafficAtStart, spec: DirectorSpec, state: StateStore): void {
  const found = read(spec);
  const known = stateOrNull(state, found !== null);
  // No director has moved traffic here yet.
  if (known === null || known.traffic.intended.live === null) return;
  const { intended, before } = known.traffic;
  // A director that was killed may not have set what it intended.
  const isCurrent =
    found !== null && (sameTraffic(found, intended) || (!known.finished && sameTraffic(found, before)));
  if (!isCurrent) write(intended, spec);
}

/** A damaged state stops no proxy that knows its traffic from starting. The next step reports it. */
function stateOrNull(state: StateStore, mayBeDamaged: boolean): State | null {
  try {
    return state.load();
  } catch (error) {
    if (mayBeDamaged) return null;
    throw error;
  }
}

async function runs(driver: Driver): Promise<boolean> {
  try {
    await driver.observe();
    return true;
  } catch {
    return false;
  }
}
