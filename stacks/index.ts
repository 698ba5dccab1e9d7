/** The two deployable units. */
export { BaseStack } from "./base-stack";
export type { BaseStackProps } from "./base-stack";
export { WebStack } from "./web-stack";
export type { WebStackProps } from "./web-stack";
