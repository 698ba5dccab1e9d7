/**
 * The domain without cdktf, for programs that write records from code or prove a plan. What is not named here is internal.
 */

// Records, how one becomes the next, and how its traffic shifts.
export { emptyRecord, formatRecord, parseRecord } from "./record";
export type { ReleaseRecord } from "./record";
export { releaseId } from "./release";
export type { Candidate, Release, ReleaseId } from "./release";
export { Strategy } from "./schedule";
export type { BlueGreenProps, CanaryProps, RecreateProps, Schedule, ScheduleChoice } from "./schedule";
export type { Slot } from "./slot";
/** What may happen to a record: each function returns the next one, or refuses. */
export * as transitions from "./transitions";

// What an apply changes, and what it left: for pipelines.
export { proveLiveSlotUntouched, proveOnlySteps, readPlan } from "./plan-proof";
export type { Change, Plan } from "./plan-proof";
export type { MeasureReceipt, Receipt } from "./receipt";

// The two errors that are for the user: bad input, and a transition that the record refuses.
export { EXIT } from "./exit-code";
export type { ExitCode, FailureCode } from "./exit-code";
export { Failure, InvalidInput, Refusal } from "./failure";
