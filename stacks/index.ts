/** The two deployable units. */
export * from "./base-stack";
export * from "./web-stack";
