/** Checks before the start that the pages answer; otherwise every request would count as failed. */
import { Refusal } from "../../release/failure";
import { errorCode, LoadClient } from "../load/client";
import type { LoadPlan } from "../load/plan";
import { judge } from "../load/request";

/** One lost request does not refuse. */
const ATTEMPTS = 3;

/** @throws Refusal one line with the address and its answer. */
export async function refuseUnanswered(plan: LoadPlan): Promise<void> {
  const client = new LoadClient(plan);
  try {
    for (const get of plan.gets) {
      const failure = await firstFailure(plan, client, get);
      if (failure === null) continue;
      throw new Refusal(
        "not-possible-here",
        `${plan.origin}${get.path} does not answer as expected (${failure}), so a load would measure nothing: the command was not started`,
      );
    }
  } finally {
    await client.close();
  }
}

/** null after one good attempt; otherwise the last attempt's failure. */
async function firstFailure(
  plan: LoadPlan,
  client: LoadClient,
  { path, status, bodyIncludes }: LoadPlan["gets"][number],
): Promise<string | null> {
  const releaseHeader = plan.releaseHeader?.toLowerCase() ?? null;
  const expect = { status, releaseHeader, bodyIncludes };
  let failure: string | null = null;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    try {
      const signal = AbortSignal.timeout(Math.ceil(plan.timeLimitMs / ATTEMPTS));
      const answer = await client.send({ method: "GET", path, signal });
      ({ failure } = judge(plan, new RegExp(plan.releasePattern), { method: "GET", path, expect }, answer));
      if (failure === null) return null;
      if (failure === `status ${answer.status}`) failure = `${failure}, not ${status}`;
    } catch (error) {
      failure = `no answer: ${errorCode(error)}`;
    }
  }
  return failure;
}
