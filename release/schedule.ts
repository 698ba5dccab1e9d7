/**
 * The topology defines where the slots are, the schedule how traffic moves between them. The three strategies are
 * blue/green, canary (a growing weight) and recreate.
 */
import * as z from "zod/mini";
import { readsFormerValues } from "./former-names";
import { InvalidInput } from "./failure";
import { describeIssues } from "./validation";

/**
 * `split`: the servers alternate between blue and green (web-1 blue, web-2 green, web-3 blue, ...).
 * `sideBySide`: both slots on every server, on two ports.
 * The base stack sets it; it can't change later.
 */
export const TOPOLOGIES = ["split", "sideBySide"] as const;
export const Topology = z.enum(TOPOLOGIES);
export type Topology = z.infer<typeof Topology>;

const seconds = (limit: number) => z.number().check(z.minimum(0), z.maximum(limit));

const Steps = z.array(z.int().check(z.minimum(1), z.maximum(100))).check(
  z.refine((steps) => steps.every((step, index) => index === 0 || step > steps[index - 1]!), {
    error: () => `"steps" must increase, as in [5, 25, 50, 100]`,
  }),
  z.refine((steps) => steps.at(-1) === 100, { error: () => `"steps" must end with 100` }),
);

/** How a candidate under traffic is compared with stable. */
export const Analysis = z.strictObject({
  /** The length of the windows that are judged. A candidate that turns bad is rolled back within two. @default 5 */
  intervalSeconds: z.number().check(z.minimum(0.1), z.maximum(3_600)),
  /**
   * Fewer answers than this prove nothing. If users send fewer requests, the director sends synthetic ones, so a step also
   * ends on a quiet site, and never without data. @default 20
   */
  minimumRequests: z.int().check(z.minimum(1), z.maximum(100_000)),
  /**
   * The candidate's ratio of failed requests (5xx or no answer) may exceed stable's by this. From 0 to 1. It can be small:
   * what protects an equal release from chance is `falseRollbackRate`. @default 0.002
   */
  maxErrorRatio: z.number().check(z.minimum(0), z.maximum(1)),
  /** The candidate's 95th percentile of latency may be this many times stable's. @default 2 */
  maxLatencyRatio: z.number().check(z.minimum(1), z.maximum(1_000)),
  /** A latency that exceeds stable's by this many milliseconds or less is never a failure. @default 100 */
  latencySlackMs: z.number().check(z.minimum(0), z.maximum(60_000)),
  /**
   * The chance that a release which is as good as stable is rolled back, over its whole way, however often it is looked
   * at. A smaller one needs more failed answers. @default 0.01
   */
  falseRollbackRate: z.optional(z.number().check(z.minimum(0.000001), z.maximum(0.5))),
  /**
   * The share of answers with a status of 3xx, and the one of 4xx, may exceed stable's by this. From 0 to 1. @default 0.05
   */
  maxStatusShift: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
  /** For so long after its first request of a user a candidate may be slow: its caches are cold. @default 5 */
  latencyGraceSeconds: z.optional(z.number().check(z.minimum(0), z.maximum(3_600))),
  /**
   * What happens after a step with too few answers to judge: go on if verification and the director's requests passed
   * ("not judged" in the receipt), or roll back. @default "continue"
   */
  whenInconclusive: z.optional(z.enum(["continue", "rollback"])),
  /** The release means to answer with other statuses (redirects, removed pages): they are reported, not judged. @default false */
  expectChange: z.optional(z.boolean()),
});
/** As written in files. What is absent has its default: see {@link analysisSettings}. */
export type Analysis = z.infer<typeof Analysis>;
/** All settings of the analysis. */
export type AnalysisSettings = { readonly [Key in keyof Analysis]-?: Exclude<Analysis[Key], undefined> };

/** @internal */
export const Schedule = z.strictObject({
  /** `recreate` replaces the active slot; the other two release to the idle one. */
  strategy: z.enum(["blueGreen", "canary", "recreate"]),
  /** The candidate's weights, one after another, in per cent of the requests. */
  steps: Steps,
  /** How long each weight below 100 lasts. */
  stepSeconds: seconds(86_400),
  /** How long the candidate is watched at 100 % before it becomes stable. */
  bakeSeconds: seconds(86_400),
  /** How long running requests on a slot may take to finish after its last new request. */
  drainSeconds: seconds(3_600),
  /** What happens if the candidate fails under traffic: roll back to stable, or freeze until a person decides. */
  onFailure: z.enum(["rollback", "freeze"]),
  /** The old slot is kept for an instant rollback, or gets the new release too (topology `split`). */
  afterPromotion: z.enum(["retain", "converge"]),
  /** What users get while a site is recreated: requests wait, or a maintenance page (503 with Retry-After). */
  whileDown: readsFormerValues(z.enum(["hold", "maintenancePage"]), { page: "maintenancePage" }),
  /** How long the old slot is kept for an instant rollback. Until then, only a release into it replaces it. */
  retainSeconds: seconds(30 * 86_400),
  analysis: Analysis,
});
/** How traffic moves from one slot to the other, with all defaults filled in. */
export interface Schedule extends z.infer<typeof Schedule> {}

/** Overrides of the defaults of `recreate`. */
export interface RecreateProps extends Partial<
  Pick<Schedule, "bakeSeconds" | "drainSeconds" | "onFailure" | "whileDown">
> {
  readonly analysis?: Partial<Analysis>;
}

/** Overrides of the defaults of `blueGreen`. */
export interface BlueGreenProps
  extends
    Omit<RecreateProps, "whileDown">,
    Partial<Pick<Schedule, "afterPromotion" | "retainSeconds" | "stepSeconds">> {
  readonly steps?: readonly number[];
}

/** Overrides of the defaults of `canary`. */
export interface CanaryProps extends BlueGreenProps {}

const DEFAULTS = {
  stepSeconds: 60,
  bakeSeconds: 60,
  drainSeconds: 30,
  onFailure: "rollback",
  afterPromotion: "retain",
  whileDown: "hold",
  retainSeconds: 0,
} as const;

const DEFAULT_ANALYSIS: Analysis = {
  intervalSeconds: 5,
  minimumRequests: 20,
  maxErrorRatio: 0.002,
  maxLatencyRatio: 2,
  latencySlackMs: 100,
};

/** Defaults that records don't carry, so that directors and records of version 0.1.0 stay valid. */
const LATER_DEFAULTS = {
  falseRollbackRate: 0.01,
  maxStatusShift: 0.05,
  latencyGraceSeconds: 5,
  whenInconclusive: "continue",
  expectChange: false,
} as const;

/** The analysis of a schedule with all defaults filled in. */
export function analysisSettings(analysis: Analysis): AnalysisSettings {
  const given = Object.fromEntries(Object.entries(analysis).filter(([, value]) => value !== undefined));
  return { ...LATER_DEFAULTS, ...(given as Analysis) } as AnalysisSettings;
}

/** The three strategies, as schedules. Every field has a default; see {@link Schedule} for meaning and units. */
export const Strategy = {
  /** Verify the idle slot, then move all requests to it at once (or in `steps`). @default steps [100], bakeSeconds 60, drainSeconds 30 */
  blueGreen: (props: BlueGreenProps = {}): Schedule =>
    complete({ strategy: "blueGreen", steps: [100], ...props }),

  /** Move the requests in steps with a growing weight. @default steps [5, 25, 50, 100], stepSeconds 60 */
  canary: (props: CanaryProps = {}): Schedule =>
    complete({ strategy: "canary", steps: [5, 25, 50, 100], ...props }),

  /**
   * Replace the release in the active slot itself, for versions that must not run at the same time.
   * While the application stops and starts, users wait (`hold`) or get a page (`maintenancePage`).
   */
  recreate: (props: RecreateProps = {}): Schedule =>
    complete({ strategy: "recreate", steps: [100], ...props }),
};

/** @internal */
export const ScheduleChoice = z.strictObject({
  ...z.partial(Schedule).shape,
  strategy: Schedule.shape.strategy,
  analysis: z.optional(z.partial(Analysis)),
});
/** A schedule as written in a file: the strategy, and overrides of its defaults. */
export interface ScheduleChoice extends z.infer<typeof ScheduleChoice> {}

export function resolveSchedule(choice: ScheduleChoice): Schedule {
  const { strategy, ...props } = choice;
  const shifts = props.steps !== undefined && props.steps.some((weight) => weight !== 100);
  if (strategy === "recreate" && (shifts || props.afterPromotion === "converge")) {
    throw new InvalidInput(
      `a recreate schedule can't have "steps" or "converge": it replaces the release in its slot, at once`,
    );
  }
  return Strategy[strategy](props as BlueGreenProps & CanaryProps & RecreateProps);
}

/** @throws InvalidInput one line that names the strategy, the field, and what it should be. */
function complete(props: Pick<Schedule, "strategy"> & Partial<Record<keyof Schedule, unknown>>): Schedule {
  const analysis = { ...DEFAULT_ANALYSIS, ...(props.analysis as Partial<Analysis> | undefined) };
  const parsed = z.safeParse(Schedule, { ...DEFAULTS, ...props, analysis });
  if (!parsed.success)
    throw new InvalidInput(`a ${props.strategy} schedule: ${describeIssues(parsed.error)}`);
  return parsed.data;
}

/** @throws InvalidInput if the parts of a schedule contradict each other. */
export function parseSchedule(choice: unknown, where: string): Schedule {
  const parsed = z.safeParse(ScheduleChoice, choice);
  if (!parsed.success) throw new InvalidInput(`${where}: ${describeIssues(parsed.error)}`);
  return resolveSchedule(parsed.data);
}

/** Side by side, a convergence would only install a second copy of the release on every server. */
export function refuseConvergeSideBySide(schedule: Schedule, topology: Topology, where: string): void {
  if (schedule.afterPromotion === "converge" && topology !== "split") {
    throw new InvalidInput(
      `${where}: afterPromotion "converge" needs topology "split", this one is "${topology}"`,
    );
  }
}
