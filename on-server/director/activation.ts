/**
 * Tells instances that their slot became, or stopped being, the live one, for whatever only one release's shall do:
 * schedulers, queue consumers. The old ones are told first, so that for a moment nobody works rather than both.
 */
import type { Endpoint } from "../../configuration/naming";
import type { Slot } from "../../release/slot";
import type { Director } from "./director";

const ATTEMPTS = 3;

/** An instance did not accept what it was told. */
export class NotificationFailed extends Error {
  override readonly name = "NotTold";
}

/**
 * Makes `slot` the active one. Nothing is sent where that is known to be so; after a crash the same may come again.
 * @throws NotTold where an instance does not accept it: the next try goes on from there.
 */
export async function activateSlot(director: Director, slot: Slot): Promise<void> {
  if (!notifiesInstances(director) || director.state.active === slot) return;
  await deactivateAll(director);
  await tell(director, "activate", director.spec.endpoints[slot]);
  director.save({ active: slot });
}

/** Some servers of the active slot are new: they don't know it yet. @throws NotTold */
export async function activateServers(
  director: Director,
  slot: Slot,
  servers: readonly string[],
): Promise<void> {
  if (!notifiesInstances(director) || director.state.active !== slot) return;
  const endpoints = director.spec.endpoints[slot].filter(({ server }) => servers.includes(server));
  await tell(director, "activate", endpoints);
}

/** Before a slot's instances are replaced where they are. Whoever can't be told is about to be stopped anyway. */
export async function deactivateAll(director: Director): Promise<void> {
  const { active } = director.state;
  if (!notifiesInstances(director) || active === null) return;
  await tell(director, "deactivate", director.spec.endpoints[active]);
  director.save({ active: null });
}

/** The way back: traffic is where it shall be, and an instance that can't be told must not keep it from going on. */
export async function activateStable(director: Director): Promise<void> {
  const { active, stable } = director.state;
  if (!notifiesInstances(director) || active === (stable?.slot ?? null)) return;
  try {
    if (stable === null) await deactivateAll(director);
    else await activateSlot(director, stable.slot);
  } catch (error) {
    if (!(error instanceof NotificationFailed)) throw error;
    director.say("not-told", { problem: error.message });
    // Two releases at work are worse than none, but stable's instances must work.
    if (stable === null) return;
    try {
      await tell(director, "activate", director.spec.endpoints[stable.slot]);
      director.save({ active: stable.slot });
    } catch (again) {
      director.say("not-told", { problem: (again as Error).message });
    }
  }
}

/** With several proxies the first one speaks. */
function notifiesInstances({ spec }: Director): boolean {
  return spec.activation !== null && spec.proxy.index === 0;
}

async function tell(
  director: Director,
  what: "activate" | "deactivate",
  endpoints: readonly Endpoint[],
): Promise<void> {
  const problems = await Promise.all(endpoints.map((endpoint) => notifyOne(director, what, endpoint)));
  director.say(what, { servers: endpoints.map(({ server }) => server), problems: problems.filter(Boolean) });
  const problem = problems.find(Boolean);
  if (problem !== undefined) throw new NotificationFailed(problem);
}

/** @returns what was wrong; empty where nothing was. */
async function notifyOne(
  { spec, attempt, clock, probe }: Director,
  what: "activate" | "deactivate",
  endpoint: Endpoint,
): Promise<string> {
  let problem = "";
  for (let tries = 0; tries < ATTEMPTS; tries += 1) {
    if (tries > 0) await clock.sleep(spec.verification.intervalSeconds * 1000);
    ({ problem } = await attempt(endpoint, spec.activation![what]));
    if (problem === "") return "";
    // Nobody there, nobody at work.
    if (what === "deactivate" && (await probe(endpoint, null)).milliseconds === null) return "";
  }
  return `${endpoint.server} (${endpoint.host}:${endpoint.port}) ${problem}`;
}
