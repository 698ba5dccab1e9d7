/**
 * The domain without cdktf, for programs that read environments, write records from code or prove a plan. What is not
 * named here is internal.
 */

// Environments: from a file, or written in code.
export type { AzureEnvironment, Environment, LocalEnvironment } from "./environment";
export { parseEnvironment } from "./environment-file";
export { ownEnvironment } from "./own-environment";
export type { DeploymentEnvironment, OwnEnvironment, OwnEnvironmentProps } from "./own-environment";

// Records, how one becomes the next, and how its traffic shifts.
export { emptyRecord, formatRecord, parseRecord } from "./record";
export type { ReleaseRecord } from "./record";
export { releaseId } from "./release";
export type { Candidate, Release, ReleaseId } from "./release";
export { Strategy } from "./schedule";
export type { BlueGreenProps, CanaryProps, RecreateProps, Schedule, ScheduleChoice } from "./schedule";
export type { Slot } from "./slot";
export * as transitions from "./transitions";

// What the director is given, for a custom driver.
export { directorSpec } from "./director-spec";
export type { DirectorSpec } from "./director-spec";
export type { DriverCommand } from "./drivers";

// What an apply changes, and what it left: for pipelines.
export { proveLiveSlotUntouched, proveOnlySteps, readPlan } from "./plan-proof";
export type { Change, Plan } from "./plan-proof";
export type { MeasureReceipt, Receipt } from "./receipt";

// The two errors that are for the user: bad input, and a transition that the record refuses.
export { InvalidInput, Refusal } from "./refusal";
