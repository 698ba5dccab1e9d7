/**
 * The construct library: stacks, the constructs that every platform shares and the local platform's, and the pure domain
 * behind them. Azure's are in `cdktf-bluegreen/constructs/azure`: the provider's classes take their time to load.
 */
export * from "./constructs/blue-green-deployment";
export * from "./constructs/local/local-machines";
export * from "./constructs/local/local-server";
export * from "./constructs/platform";
export * from "./constructs/server";
export * from "./release";
export * from "./stacks";
