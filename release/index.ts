/**
 * The domain without cdktf, for programs that write records or prove plans. Everything not exported here is internal.
 */

// Records, their transitions, and their schedules.
export { emptyRecord, formatRecord, parseRecord } from "./record";
export type { ReleaseRecord } from "./record";
export { releaseId } from "./release";
export type { Candidate, Release, ReleaseId } from "./release";
export { Strategy } from "./schedule";
export type { BlueGreenProps, CanaryProps, RecreateProps, Schedule, ScheduleChoice } from "./schedule";
export type { Slot } from "./slot";
/** The transitions of a record: each function returns the next record or refuses. */
export * as transitions from "./transitions";

// For pipelines: what an apply changes, and its receipt.
export { proveLiveSlotUntouched, proveOnlySteps } from "./plan-proof";
export { readPlan } from "./terraform-plan";
export type { Change, Invocation, Plan } from "./terraform-plan";
export type { MeasureReceipt, Receipt } from "./receipt";

// The errors of this package and their exit codes; bad input and refusals have separate classes.
export { EXIT } from "./exit-code";
export type { ExitCode, FailureCode } from "./exit-code";
export { Failure, InvalidInput, Refusal } from "./failure";
