/**
 * The construct library: stacks, the constructs that every platform shares and the local platform's, and the pure domain
 * behind them. Azure's are in `cdktf-bluegreen/constructs/azure`: the provider's classes take their time to load.
 */
export * from "./constructs/blue-green-deployment";
export * from "./constructs/database-migration";
export * from "./constructs/director-setup";
export * from "./constructs/installer";
export * from "./constructs/local/local-machines";
export * from "./constructs/local/local-server";
export * from "./constructs/migrator";
export { shippedFile } from "./constructs/on-server-program";
export * from "./constructs/platform";
export * from "./constructs/release-installation";
export * from "./constructs/server";
export * from "./constructs/terraform-data";
export * from "./constructs/traffic-switch";
// Not "./release": beside this file that would be the record.
export * from "./configuration/index";
export * from "./release/index";
export * from "./stacks/index";
