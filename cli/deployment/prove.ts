/** The plan proof by itself: for pipelines and Terraform Cloud, which plan and apply without this command. */
import { readFileSync } from "node:fs";
import { proveLiveSlotUntouched, readPlan } from "../../release/plan-proof";
import { SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";
import { OperatorError } from "../operator-error";

export interface Proof {
  readonly live: Slot;
  /** Install steps of the live slot, all of them no-ops. */
  readonly untouched: number;
  /** Addresses at which something changes. */
  readonly changes: readonly string[];
  readonly words: string;
}

/**
 * @param file what `terraform show -json` printed; `-` is stdin. @param observe asks the proxies, where `slot` is not given.
 * @throws Refusal naming the change that is too much.
 */
export async function prove(
  file: string,
  slot: string | undefined,
  observe: () => Promise<Slot | null | undefined>,
): Promise<Proof> {
  const plan = readPlan(read(file), file === "-" ? "the plan on stdin" : file);
  const live = slot === undefined ? await observe() : SLOTS.find((each) => each === slot);
  if (live === undefined || live === null) {
    const words = slot === undefined ? "no slot is live, as far as the proxies agree" : `--live ${slot}`;
    throw new OperatorError(`${words}: name the live slot with --live blue or --live green`, 2);
  }
  const untouched = proveLiveSlotUntouched(plan, live);
  const changes = plan.changes
    .filter(({ actions }) => actions.some((action) => action !== "no-op"))
    .map(({ address }) => address);
  const words = `${live} is not touched: its ${untouched} install steps are no-ops, and all ${changes.length} changes are steps of a release`;
  return { live, untouched, changes, words };
}

function read(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw new OperatorError(
      `${file} can't be read (${(error as NodeJS.ErrnoException).code}): write it with \`terraform show -json <plan> > plan.json\``,
      2,
    );
  }
}
