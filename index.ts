/** The construct library: stacks, constructs, and the pure domain behind them. */
export * from "./constructs/blue-green-deployment";
export * from "./constructs/local/local-machines";
export * from "./constructs/local/local-server";
export * from "./constructs/platform";
export * from "./constructs/server";
export * from "./release/environment";
export { proveLiveSlotUntouched, proveOnlySteps, readPlan } from "./release/plan-proof";
export type { Change, Plan } from "./release/plan-proof";
export * from "./release/record";
export * from "./release/refusal";
export * from "./release/release";
export * from "./release/schedule";
export * from "./release/slot";
export * as transitions from "./release/transitions";
export * from "./stacks/base-stack";
export * from "./stacks/web-stack";
