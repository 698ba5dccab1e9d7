/**
 * The gate before any traffic: every endpoint of a slot, N successes in a row, the smoke requests, and the proxy's own
 * view of it.
 */
import type { Slot } from "../../release/slot";
import type { Endpoint } from "../../configuration/naming";
import type { Director } from "./director";

export type Verdict = { readonly passed: true } | { readonly passed: false; readonly reason: string };

const PASSED: Verdict = { passed: true };

/**
 * Verifies all of a slot's endpoints, or those on some servers. Once they passed they are in rotation: also one that
 * a heal had taken out, and had not come to put back.
 * @throws Interrupted
 */
export async function admit(
  director: Director,
  slot: Slot,
  releaseId: string,
  servers: readonly string[] = director.spec.endpoints[slot].map(({ server }) => server),
): Promise<Verdict> {
  const { spec, clock } = director;
  const startedAt = clock.now();
  const deadline = startedAt + spec.verification.deadlineSeconds * 1000;
  const endpoints = spec.endpoints[slot].filter(({ server }) => servers.includes(server));
  const verdicts = await Promise.all(
    endpoints.map((endpoint) => verifyEndpoint(director, endpoint, releaseId, deadline)),
  );
  const failed = verdicts.find((verdict) => !verdict.passed);
  const verdict = failed ?? (await seenByProxy(director, slot, servers, deadline));
  director.say("verified", { slot, releaseId, endpoints: endpoints.length, ...verdict });
  if (!verdict.passed) return verdict;
  const seconds = (clock.now() - startedAt) / 1000;
  director.save({
    journal: director.journalWith({
      event: "verified",
      ...{ slot, releaseId, endpoints: endpoints.length, seconds },
    }),
  });
  await director.putIntoRotation(slot, servers);
  return verdict;
}

async function verifyEndpoint(
  director: Director,
  endpoint: Endpoint,
  releaseId: string,
  deadline: number,
): Promise<Verdict> {
  const { successes, intervalSeconds } = director.spec.verification;
  let inARow = 0;
  for (;;) {
    director.interruption.check();
    const probe = await director.probe(endpoint, releaseId);
    inARow = probe.healthy ? inARow + 1 : 0;
    const smoke = inARow >= successes ? await smokeProblem(director, endpoint) : null;
    if (smoke === "") return PASSED;
    if (director.clock.now() >= deadline) {
      const problem = probe.problem || smoke || `was healthy only ${inARow} of ${successes} times in a row`;
      return { passed: false, reason: `${endpoint.server} (${endpoint.host}:${endpoint.port}) ${problem}` };
    }
    await director.clock.sleep(intervalSeconds * 1000);
  }
}

/** @returns what is wrong with the first answer that is not as expected; empty where all are. */
async function smokeProblem(director: Director, endpoint: Endpoint): Promise<string> {
  for (const exchange of director.spec.verification.smoke) {
    director.interruption.check();
    const { problem } = await director.attempt(endpoint, exchange);
    if (problem !== "") return problem;
  }
  return "";
}

/** A candidate that the director finds healthy gets no traffic before the proxy does so too. */
async function seenByProxy(
  director: Director,
  slot: Slot,
  servers: readonly string[],
  deadline: number,
): Promise<Verdict> {
  for (;;) {
    director.interruption.check();
    const { endpoints } = (await director.driver.counts())[slot];
    const healthy = endpoints.filter((each) => each.healthy && servers.includes(each.server)).length;
    if (healthy >= servers.length) return PASSED;
    if (director.clock.now() >= deadline) {
      return {
        passed: false,
        reason: `the proxy finds ${healthy} of ${servers.length} endpoints of ${slot} healthy`,
      };
    }
    await director.clock.sleep(100);
  }
}
