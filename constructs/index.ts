/** Every construct, of all platforms. Who needs one platform's only loads less with `constructs/azure` or `constructs/local`. */
export * from "./azure";
export * from "./blue-green-deployment";
export * from "./local";
export * from "./on-server-program";
export * from "./platform";
export * from "./server";
