/** share: after `converge` installed the active release on the idle slot's servers too, both slots serve it. */
import { Failure } from "../../../release/failure";
import { EXIT } from "../../../release/exit-code";
import { mayShare } from "../../../release/gate";
import { otherSlot } from "../../../release/slot";
import type { Director } from "../director";
import { Interrupted } from "../interruption";
import { admit } from "../verify";
import type { StepEnd } from "./step";

const HALF = 50;

export async function share(director: Director): Promise<StepEnd> {
  const stable = mayShare(director.spec, director.state);
  const idle = otherSlot(stable.slot);
  try {
    const verdict = await admit(director, idle, stable.releaseId);
    if (!verdict.passed) return keepStable(director, verdict.reason);
  } catch (error) {
    if (error instanceof Interrupted) return keepStable(director, error.message);
    throw error;
  }
  const traffic = await director.driver.observe();
  director.save({ shared: true });
  await director.setTraffic({ ...traffic, live: stable.slot, weight: HALF, mode: "serve", fallback: true });
  director.save({ phase: "stable", finished: true });
  return { outcome: "shared", reason: `${stable.releaseId} serves from both slots` };
}

/** A failure of the second slot never moves traffic off the first. */
function keepStable(director: Director, reason: string): never {
  director.save({ phase: "frozen", finished: true });
  const { stable } = director.state;
  throw new Failure(
    `${reason}; ${stable?.releaseId} keeps serving from ${stable?.slot} alone. Next: \`bluegreen retry\` or \`bluegreen rollback\``,
    EXIT.frozen,
  );
}
