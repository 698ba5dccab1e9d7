/**
 * The gate before any traffic: every endpoint of a slot passes N probes in a row and the smoke requests, and the proxy
 * finds it healthy too.
 */
import type { JournalEntry } from "../../release/journal";
import type { Slot } from "../../release/slot";
import type { Endpoint } from "../../configuration/naming";
import { describeEndpoint } from "./director";
import type { Director } from "./director";

export type Verdict =
  | { readonly passed: true }
  | {
      readonly passed: false;
      readonly reason: string;
      /** false: statistics of users' answers decided, and may be wrong. The artifact may be released again. @default true */
      readonly sure?: boolean | undefined;
    };

export const PASSED: Verdict = { passed: true };

/** What is still to be verified once all endpoints are healthy, and what the journal keeps of it. */
export type FurtherCheck = () => Promise<{
  readonly verdict: Verdict;
  readonly facts: Pick<Extract<JournalEntry, { event: "verified" }>, "pages" | "changed">;
}>;
const NOTHING_FURTHER: FurtherCheck = () => Promise.resolve({ verdict: PASSED, facts: {} });

/** Looks at something else between the probes, and throws if the verification must not go on. */
type Look = () => Promise<void> | undefined;

const NO_LOOK: Look = () => undefined;

export interface Besides {
  /** @default nothing more */
  readonly further?: FurtherCheck;
  /** @default no look */
  readonly look?: Look;
}

/**
 * Verifies all of a slot's endpoints, or those on some servers, then puts them into rotation: also one that an
 * interrupted heal took out.
 * @throws Interrupted, and what `look` throws
 */
export async function admit(
  director: Director,
  slot: Slot,
  releaseId: string,
  servers: readonly string[] = director.endpointsIn(slot).map(({ server }) => server),
  { further = NOTHING_FURTHER, look = NO_LOOK }: Besides = {},
): Promise<Verdict> {
  const { clock } = director;
  const startedAt = clock.now();
  const answers = await verifyServers(director, slot, releaseId, servers, look);
  const { verdict, facts } = answers.passed ? await further() : { verdict: answers, facts: {} };
  const endpoints = servers.length;
  director.logEvent("verified", { slot, releaseId, endpoints, ...verdict });
  if (!verdict.passed) return verdict;
  const seconds = (clock.now() - startedAt) / 1000;
  director.save({
    journal: director.journalWith({ event: "verified", slot, releaseId, endpoints, seconds, ...facts }),
  });
  await director.putIntoRotation(slot, servers);
  return verdict;
}

/** The same without any effect. @throws Interrupted, and what `look` throws */
export async function verifyServers(
  director: Director,
  slot: Slot,
  releaseId: string,
  servers: readonly string[],
  look: Look = NO_LOOK,
): Promise<Verdict> {
  const { spec, clock } = director;
  const deadline = clock.now() + spec.verification.deadlineSeconds * 1000;
  const endpoints = spec.endpoints[slot].filter(({ server }) => servers.includes(server));
  const verdicts = await Promise.all(
    endpoints.map((endpoint) => verifyEndpoint(director, endpoint, releaseId, { deadline, look })),
  );
  const failed = verdicts.find((verdict) => !verdict.passed);
  return failed ?? verifyByProxy(director, slot, servers, deadline);
}

async function verifyEndpoint(
  director: Director,
  endpoint: Endpoint,
  releaseId: string,
  { deadline, look }: { readonly deadline: number; readonly look: Look },
): Promise<Verdict> {
  const { successes, intervalSeconds, deadlineSeconds } = director.spec.verification;
  let inARow = 0;
  for (;;) {
    director.interruption.check();
    await look();
    const probe = await director.probe(endpoint, releaseId);
    inARow = probe.healthy ? inARow + 1 : 0;
    const smoke = inARow >= successes ? await smokeProblem(director, endpoint) : null;
    if (smoke === "") return PASSED;
    if (director.clock.now() >= deadline) {
      const problem = probe.problem || smoke || `only ${inARow} of ${successes} successful probes in a row`;
      return {
        passed: false,
        reason: `${describeEndpoint(endpoint)} was not healthy within ${deadlineSeconds} s: ${problem}`,
      };
    }
    await director.clock.sleep(intervalSeconds * 1000);
  }
}

/** @returns the first problem; empty if all answers are as expected. */
async function smokeProblem(director: Director, endpoint: Endpoint): Promise<string> {
  for (const exchange of director.spec.verification.smoke) {
    director.interruption.check();
    const { problem } = await director.attempt(endpoint, exchange);
    if (problem !== "") return problem;
  }
  return "";
}

/** A verified candidate gets no traffic until the proxy finds it healthy too. */
async function verifyByProxy(
  director: Director,
  slot: Slot,
  servers: readonly string[],
  deadline: number,
): Promise<Verdict> {
  const { spec, driver } = director;
  for (;;) {
    director.interruption.check();
    const { endpoints } = (await driver.counts())[slot];
    const healthy = endpoints.filter((each) => each.healthy && servers.includes(each.server)).length;
    if (healthy >= servers.length) return PASSED;
    if (director.clock.now() >= deadline) {
      return {
        passed: false,
        reason: `${spec.proxy.name} finds only ${healthy} of ${servers.length} endpoints of ${slot} healthy`,
      };
    }
    await director.clock.sleep(100);
  }
}
