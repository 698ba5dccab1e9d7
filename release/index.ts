/** The domain without cdktf: environments, records and their transitions, schedules, names, receipts, and the plan's proof. */
export * from "./bans";
export * from "./freeze-windows";
export type { DatabaseAccess } from "./migrate-spec";
export { proveLiveSlotUntouched, proveOnlySteps, readPlan } from "./plan-proof";
export type { Change, Plan } from "./plan-proof";
export * from "./receipt";
export * from "./record";
export * from "./refusal";
export * from "./release";
export * from "./schedule";
export * from "./slot";
export * from "./steps";
export * as transitions from "./transitions";
