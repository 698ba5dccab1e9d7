/** The plan proof by itself: for pipelines and Terraform Cloud, which plan and apply without this command. */
import { readFileSync } from "node:fs";
import { proveLiveSlotUntouched, proveOnlySteps, readPlan } from "../../release/plan-proof";
import type { Plan } from "../../release/plan-proof";
import { InvalidInput, Refusal } from "../../release/failure";
import { SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";
import { agreed } from "../proxies/proxies";
import type { ProxyStatus } from "../proxies/proxies";
import { lastWords, proxiesIn } from "../proxies/step-words";
import { stateBefore } from "../terraform/stack";
import type { PlannedState } from "../terraform/stack";

/** What `--live` says where nothing is live yet, or where the live slot may be touched: in a recreate, or a heal. */
const NONE = "none";

export type ProofResult =
  | {
      readonly proved: true;
      /** null where only the kind of the changes was looked at. */
      readonly live: Slot | null;
      /** Install steps of the live slot, all of them no-ops. */
      readonly untouched: number;
      /** Addresses at which something changes. */
      readonly changes: readonly string[];
      readonly words: string;
    }
  | {
      readonly proved: false;
      readonly live: Slot | null;
      /** The change that is too much, and what to do. */
      readonly words: string;
    };

/**
 * @param file what `terraform show -json` printed; `-` is stdin. @param said the live slot, or that there is none.
 * @param observe asks the proxies, where neither `said` nor the plan itself knows the live slot.
 * @throws InvalidInput, OperatorError where it can't be judged.
 */
export async function prove(
  file: string,
  said: string | undefined,
  observe: () => Promise<Slot | null | undefined>,
): Promise<ProofResult> {
  const json = read(file);
  let live: Slot | null = null;
  try {
    const plan = readPlan(json, file === "-" ? "the plan on stdin" : file);
    live = await liveSlot(json, said, observe);
    return resultOf(plan, live);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { proved: false, live, words: error.message };
  }
}

/** @throws Refusal naming the change that is too much. */
function resultOf(plan: Plan, live: Slot | null): ProofResult {
  const changes = plan.changes
    .filter(({ actions }) => actions.some((action) => action !== "no-op"))
    .map(({ address }) => address);
  const all = `all ${changes.length} changes are steps of a release`;
  if (live === null) {
    proveOnlySteps(plan);
    const words = `${all}; nothing is live, or it was not to be looked at`;
    return { proved: true, live, untouched: 0, changes, words };
  }
  const untouched = proveLiveSlotUntouched(plan, live);
  const words = `${live} is not touched: its ${untouched} install steps are no-ops, and ${all}`;
  return { proved: true, live, untouched, changes, words };
}

async function liveSlot(
  json: string,
  said: string | undefined,
  observe: () => Promise<Slot | null | undefined>,
): Promise<Slot | null> {
  if (said === NONE) return null;
  const slot = SLOTS.find((each) => each === said);
  if (slot !== undefined) return slot;
  const lacking = "name the live slot with --live blue or --live green; or none, where nothing is live yet";
  if (said !== undefined) throw new InvalidInput(`--live ${said}: ${lacking}`);
  const inPlan = wordsIn(JSON.parse(json) as PlannedState);
  if (inPlan.length > 0) {
    const observed = agreed(inPlan);
    if (observed !== null) return observed.live;
  }
  const found = inPlan.length > 0 ? null : await observe();
  if (found === undefined || found === null) {
    throw new InvalidInput(`no slot is live, as far as the proxies agree: ${lacking}`);
  }
  return found;
}

/** On Azure a plan's refresh brings along what the directors said last. */
function wordsIn(plan: PlannedState): ProxyStatus[] {
  const resources = stateBefore(plan);
  return proxiesIn(resources).flatMap((proxy) => {
    const words = lastWords(resources, proxy);
    return words === null ? [] : [{ ...words, endpoints: { blue: [], green: [] } }];
  });
}

function read(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw new InvalidInput(
      `${file} can't be read (${(error as NodeJS.ErrnoException).code}): write it with \`terraform show -json <plan> > plan.json\``,
    );
  }
}
