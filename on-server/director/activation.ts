/**
 * Notifies instances that their slot became the live one or stopped being it, for work that only one release may do:
 * schedulers, queue consumers. The old instances are notified first: for a moment none works, but never both.
 */
import type { Endpoint } from "../../configuration/naming";
import type { Slot } from "../../release/slot";
import { describeEndpoint } from "./director";
import type { Director } from "./director";

const ATTEMPTS = 3;

/** An instance did not accept a notification. */
export class NotificationFailed extends Error {
  override readonly name = "NotificationFailed";
}

/**
 * Makes `slot` the active one. Sends nothing if it is active already; after a crash a notification may be repeated.
 * @throws NotificationFailed if an instance does not accept it. The next attempt continues from there.
 */
export async function activateSlot(director: Director, slot: Slot): Promise<void> {
  if (!notifiesInstances(director) || director.state.active === slot) return;
  await deactivateAll(director);
  await notify(director, "activate", director.endpointsIn(slot));
  director.save({ active: slot });
}

/** Notifies new servers of the active slot. @throws NotificationFailed */
export async function activateServers(
  director: Director,
  slot: Slot,
  servers: readonly string[],
): Promise<void> {
  if (!notifiesInstances(director) || director.state.active !== slot) return;
  const endpoints = director.spec.endpoints[slot].filter(({ server }) => servers.includes(server));
  await notify(director, "activate", endpoints);
}

/** Before a slot's instances are replaced. @throws NotificationFailed */
export async function deactivateAll(director: Director): Promise<void> {
  const { active } = director.state;
  if (!notifiesInstances(director) || active === null) return;
  await notify(director, "deactivate", director.endpointsIn(active));
  director.save({ active: null });
}

/** After a rollback. Traffic is right already, so a failed notification is only logged. */
export async function activateStable(director: Director): Promise<void> {
  const { active, stable } = director.state;
  if (!notifiesInstances(director) || active === (stable?.slot ?? null)) return;
  try {
    if (stable === null) await deactivateAll(director);
    else await activateSlot(director, stable.slot);
  } catch (error) {
    if (!(error instanceof NotificationFailed)) throw error;
    director.logEvent("notification-failed", { problem: error.message });
    // Stable's instances must work, even if the others could not be deactivated.
    if (stable === null) return;
    try {
      await notify(director, "activate", director.endpointsIn(stable.slot));
      director.save({ active: stable.slot });
    } catch (again) {
      director.logEvent("notification-failed", { problem: (again as Error).message });
    }
  }
}

/** With several proxies only the first one notifies. */
function notifiesInstances({ spec }: Director): boolean {
  return spec.activation !== null && spec.proxy.index === 0;
}

async function notify(
  director: Director,
  event: "activate" | "deactivate",
  endpoints: readonly Endpoint[],
): Promise<void> {
  const problems = await Promise.all(endpoints.map((endpoint) => notifyInstance(director, event, endpoint)));
  director.logEvent(event, {
    servers: endpoints.map(({ server }) => server),
    problems: problems.filter(Boolean),
  });
  const problem = problems.find(Boolean);
  if (problem !== undefined) throw new NotificationFailed(problem);
}

/** @returns the problem; empty if there is none. */
async function notifyInstance(
  { spec, attempt, clock, probe }: Director,
  event: "activate" | "deactivate",
  endpoint: Endpoint,
): Promise<string> {
  let problem = "";
  for (let tries = 0; tries < ATTEMPTS; tries += 1) {
    if (tries > 0) await clock.sleep(spec.verification.intervalSeconds * 1000);
    ({ problem } = await attempt(endpoint, spec.activation![event]));
    if (problem === "") return "";
    // An instance that doesn't answer runs no work.
    if (event === "deactivate" && (await probe(endpoint, null)).milliseconds === null) return "";
  }
  return `${describeEndpoint(endpoint)}: ${problem}`;
}
