/** Every construct, of all platforms. Who needs one platform's only loads less with `constructs/azure` or `constructs/local`. */
export * from "./azure";
export * from "./blue-green-deployment";
export * from "./database-migration";
export * from "./director-setup";
export * from "./installer";
export * from "./local";
export * from "./migrator";
export * from "./on-server-program";
export * from "./platform";
export * from "./release-installation";
export * from "./server";
export * from "./terraform-data";
export * from "./traffic-switch";
