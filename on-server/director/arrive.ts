/**
 * arrive: what starts a proxy runs this right after. A machine that was restored from a backup, or missed sequences while
 * it was off, would serve what it remembers. So its health endpoint answers 200 only after its sequence was compared with
 * the other proxies'. If none of them answers, it serves: it may be the only one left.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";
import type { DirectorSpec, Peer } from "../../configuration/director-spec";
import { Arrival } from "../../release/director-status";
import { writeAtomically } from "../../system/atomic-file";
import { SEQUENCE_FILE, SEQUENCE_PATH, writeSequence } from "./drivers/driver";
import type { Announcement, Driver } from "./drivers/driver";
import type { State } from "./state";

const ARRIVAL_FILE = "arrival.json";

/** A started proxy is back within a second, even if another machine is off. */
const PEER_MS = 600;
/** Until the proxy that was just started can be reached. */
const START_MS = 5_000;
const START_POLL_MS = 25;

/** The file shows to what starts the proxy that there are others to ask. */
export function prepareAnnouncements({ proxy: { peers = [] } }: DirectorSpec): void {
  if (peers.length === 0) rmSync(SEQUENCE_FILE, { force: true });
  else if (!existsSync(SEQUENCE_FILE)) writeSequence(0);
}

export async function arrive(
  { proxy }: DirectorSpec,
  driver: Driver,
  { sequence, announced = 0 }: State,
): Promise<Arrival> {
  const { peers = [] } = proxy;
  const answers = await Promise.all(peers.map(sequenceOf));
  const known = answers.filter((answer) => answer !== null);
  const ahead = known.find((answer) => answer.sequence > sequence);
  const names = (of: readonly { readonly name: string }[]) => of.map(({ name }) => name).join(", ");
  const arrival = (found: Arrival["found"], reason: string): Arrival => ({
    at: new Date().toISOString(),
    found,
    reason,
  });
  const result =
    ahead !== undefined
      ? arrival("behind", `it has record ${sequence}, ${ahead.name} has ${ahead.sequence}`)
      : known.length > 0
        ? arrival("current", `record ${sequence} is as new as that of ${names(known)}`)
        : arrival("unverified", `no other proxy answered (${names(peers)})`);
  if (result.found === "current") forgetArrival();
  else writeAtomically(ARRIVAL_FILE, JSON.stringify(result));
  try {
    await announceOnceStarted(driver, { sequence: announced, ready: result.found !== "behind" });
  } catch (error) {
    // One that is behind is not ready since before its start.
    if (result.found !== "behind") throw error;
  }
  return result;
}

/** What the last start found; null if all is well since. */
export function lastArrival(): Arrival | null {
  const parsed = z.safeParse(Arrival, jsonIn(ARRIVAL_FILE));
  return parsed.success ? parsed.data : null;
}

export function forgetArrival(): void {
  rmSync(ARRIVAL_FILE, { force: true });
}

function jsonIn(file: string): unknown {
  try {
    return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : null;
  } catch {
    return null;
  }
}

async function announceOnceStarted(driver: Driver, announcement: Announcement): Promise<void> {
  const deadline = performance.now() + START_MS;
  for (;;) {
    try {
      return await driver.announce?.(announcement);
    } catch (error) {
      if (performance.now() >= deadline) throw error;
      await sleep(START_POLL_MS);
    }
  }
}

/** @returns null without an answer in time, or from a proxy of an earlier version. */
function sequenceOf({ name, host, port }: Peer): Promise<{ name: string; sequence: number } | null> {
  return new Promise((resolve) => {
    const none = (): void => resolve(null);
    const signal = AbortSignal.timeout(PEER_MS);
    const asked = get({ host, port, path: SEQUENCE_PATH, agent: false, signal }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text = (text + chunk).slice(0, 40)));
      response.on("error", none);
      response.on("end", () => {
        const isSequence = response.statusCode === 200 && /^\d{1,15}\s*$/.test(text);
        resolve(isSequence ? { name, sequence: Number(text) } : null);
      });
    });
    asked.on("error", none);
  });
}
