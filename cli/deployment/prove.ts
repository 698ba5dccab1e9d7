/** The plan proof alone, for pipelines and Terraform Cloud, which plan and apply without this command. */
import { readFileSync } from "node:fs";
import { proveLiveSlotUntouched, proveOnlySteps, requireInstalls } from "../../release/plan-proof";
import { readPlan } from "../../release/terraform-plan";
import type { Plan } from "../../release/terraform-plan";
import { InvalidInput, Refusal } from "../../release/failure";
import { serverPlaces } from "../../configuration/naming";
import type { Environment } from "../../configuration/environment";
import { SLOTS } from "../../release/slot";
import { stepId } from "../../release/steps";
import type { Slot } from "../../release/slot";
import { agreed } from "../proxies/proxies";
import type { ProxyStatus } from "../../release/director-status";
import { lastReport, proxiesIn } from "../proxies/step-reports";
import { jsonOf } from "../terraform/json-output";
import { stateBefore } from "../terraform/stack";
import type { PlannedState } from "../terraform/stack";

/** `--live none`: nothing is live yet, or the live slot may be touched (recreate, heal). */
const NONE = "none";

export type ProofResult =
  | {
      readonly proved: true;
      /** null if only the kinds of changes were checked. */
      readonly live: Slot | null;
      /** Install steps of the live slot, all of them no-ops. */
      readonly untouched: number;
      /** Addresses at which something changes. */
      readonly changes: readonly string[];
      readonly reason: string;
    }
  | {
      readonly proved: false;
      readonly live: Slot | null;
      /** The change that is not permitted, and what to do. */
      readonly reason: string;
    };

/**
 * @param file the output of `terraform show -json`; `-` is stdin. @param liveOption the live slot, or `none`.
 * @param observe asks the proxies, if neither `liveOption` nor the plan has the live slot.
 * @param environment whose servers must all have their install steps in the plan; null if it is not known.
 * @throws InvalidInput, Failure if it can't be decided.
 */
export async function prove(
  file: string,
  liveOption: string | undefined,
  observe: () => Promise<Slot | null | undefined>,
  environment: Environment | null,
): Promise<ProofResult> {
  const json = read(file);
  let live: Slot | null = null;
  try {
    const plan = readPlan(json, file === "-" ? "the plan on stdin" : file);
    live = await liveSlot(json, liveOption, observe);
    const result = resultOf(plan, live);
    if (environment !== null) requireInstalls(plan, installSteps(environment));
    return result;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { proved: false, live, reason: error.message };
  }
}

/** @throws Refusal with the first change that is not permitted. */
function resultOf(plan: Plan, live: Slot | null): ProofResult {
  const changes = plan.changes
    .filter(({ actions }) => actions.some((action) => action !== "no-op"))
    .map(({ address }) => address);
  const all = `all ${changes.length} changes are steps of a release`;
  if (live === null) {
    proveOnlySteps(plan);
    const reason = `${all}; no live slot was checked`;
    return { proved: true, live, untouched: 0, changes, reason };
  }
  const untouched = proveLiveSlotUntouched(plan, live);
  const reason = `${live} is not touched: its ${untouched} install steps are no-ops, and ${all}`;
  return { proved: true, live, untouched, changes, reason };
}

function installSteps(environment: Environment): string[] {
  return serverPlaces(environment).flatMap(({ name, slots }) =>
    slots.map((slot) => stepId.install(slot, name)),
  );
}

async function liveSlot(
  json: string,
  liveOption: string | undefined,
  observe: () => Promise<Slot | null | undefined>,
): Promise<Slot | null> {
  if (liveOption === NONE) return null;
  const slot = SLOTS.find((each) => each === liveOption);
  if (slot !== undefined) return slot;
  const hint = "name the live slot with --live blue or --live green; use --live none if nothing is live yet";
  if (liveOption !== undefined) throw new InvalidInput(`--live ${liveOption}: ${hint}`);
  const inPlan = statusesIn(JSON.parse(json) as PlannedState);
  if (inPlan.length > 0) {
    const observed = agreed(inPlan);
    if (observed !== null) return observed.live;
  }
  const found = inPlan.length > 0 ? null : await observe();
  if (found === undefined || found === null) {
    throw new InvalidInput(`the proxies agree on no live slot: ${hint}`);
  }
  return found;
}

/** On Azure the plan's refreshed state has the directors' last results. */
function statusesIn(plan: PlannedState): ProxyStatus[] {
  const resources = stateBefore(plan);
  return proxiesIn(resources).flatMap((proxy) => {
    const report = lastReport(resources, proxy);
    return report === null ? [] : [{ ...report, endpoints: { blue: [], green: [] } }];
  });
}

function read(file: string): string {
  try {
    return jsonOf(readFileSync(file === "-" ? 0 : file, "utf8"));
  } catch (error) {
    throw new InvalidInput(
      `${file} can't be read (${(error as NodeJS.ErrnoException).code}): write it with \`terraform show -json <plan> > plan.json\``,
    );
  }
}
