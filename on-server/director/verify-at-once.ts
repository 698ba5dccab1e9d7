/**
 * Verification while users wait: the servers that answer as exactly this release suffice, and the others are named. A
 * server that failed one probe gets more, and a slow one is not waited for once another is healthy.
 */
import type { Endpoint } from "../../configuration/naming";
import type { Slot } from "../../release/slot";
import { describeEndpoint } from "./director";
import type { Director } from "./director";
import type { Probe } from "./probe";

const POLL_MS = 20;
const BETWEEN_PROBES_MS = 50;
/** The rest of two seconds is for the program's start and the proxy. */
const PATIENCE_MS = 700;

export interface Found {
  /** Servers that answer as the release, and that the proxy finds healthy. */
  readonly well: readonly string[];
  /** What is wrong with each of the others. */
  readonly problems: readonly string[];
  /** Servers in rotation that answer as another release. */
  readonly foreign: readonly string[];
}

export async function verifyAtOnce(director: Director, slot: Slot, releaseId: string): Promise<Found> {
  const { clock, driver, spec } = director;
  const startedAt = clock.now();
  const soon = startedAt + PATIENCE_MS;
  const late = soon + 1000 * spec.verification.timeoutSeconds;
  const answers = new Map<string, Probe>();
  const probing = { isOver: false };
  for (const endpoint of spec.endpoints[slot]) {
    // If the director can't go on, its next effect shows it.
    keepProbing(director, endpoint, releaseId, answers, probing).catch(() => undefined);
  }
  try {
    for (;;) {
      const now = clock.now();
      const { endpoints } = (await driver.counts())[slot];
      const isServed = (server: string) =>
        endpoints.some((each) => each.server === server && each.healthy && each.inRotation);
      const isWell = (server: string) => answers.get(server)?.healthy === true && isServed(server);
      const servers = spec.endpoints[slot].map(({ server }) => server);
      const well = servers.filter(isWell);
      if (well.length === servers.length || (well.length > 0 && now >= soon) || now >= late) {
        const inRotation = (server: string) =>
          endpoints.some((each) => each.server === server && each.inRotation);
        const problem = (endpoint: Endpoint): string => {
          const { server } = endpoint;
          const answer = answers.get(server);
          if (answer?.healthy === false) return `${describeEndpoint(endpoint)}: ${answer.problem}`;
          if (answer === undefined)
            return `${describeEndpoint(endpoint)}: no answer within ${(now - startedAt) / 1000} s`;
          return `${describeEndpoint(endpoint)}: ${inRotation(server) ? "not healthy by the proxy's check" : "out of rotation"}`;
        };
        const isForeign = (server: string) => {
          const other = answers.get(server)?.releaseId ?? null;
          return other !== null && other !== releaseId && inRotation(server);
        };
        return {
          well,
          problems: spec.endpoints[slot].filter(({ server }) => !isWell(server)).map(problem),
          foreign: servers.filter(isForeign),
        };
      }
      await clock.sleep(POLL_MS);
    }
  } finally {
    probing.isOver = true;
  }
}

/** Probes an endpoint until it is healthy, or nobody waits any more. */
async function keepProbing(
  { probe, clock }: Director,
  endpoint: Endpoint,
  releaseId: string,
  answers: Map<string, Probe>,
  probing: { readonly isOver: boolean },
): Promise<void> {
  while (!probing.isOver) {
    const answer = await probe(endpoint, releaseId);
    answers.set(endpoint.server, answer);
    if (answer.healthy) return;
    await clock.sleep(BETWEEN_PROBES_MS);
  }
}
