/** weight: after `converge` installed the active release into the idle slot's servers too, both slots serve it. */
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
    if (!verdict.passed) return stays(director, verdict.reason);
  } catch (error) {
    if (error instanceof Interrupted) return stays(director, error.message);
    throw error;
  }
  const traffic = await director.driver.observe();
  director.save({ shared: true });
  await director.setTraffic({ ...traffic, live: stable.slot, weight: HALF, mode: "serve", fallback: true });
  director.save({ phase: "stable", finished: true });
  return { outcome: "shared", reason: `${stable.releaseId} serves from both slots` };
}

/** A second half that fails never moves traffic off the first. */
function stays(director: Director, reason: string): never {
  director.save({ phase: "frozen", finished: true });
  const { stable } = director.state;
  throw new Failure(
    `${reason}; ${stable?.releaseId} keeps serving from ${stable?.slot} alone: \`bluegreen retry\` or \`rollback\``,
    EXIT.frozen,
  );
}
