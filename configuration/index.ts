/** Environments without cdktf: their files, the names and addresses derived from them, and the director's spec. */
export { directorSpec } from "./director-spec";
export type { DirectorSpec } from "./director-spec";
export type { DriverCommand } from "./drivers";
export * from "./environment";
export { parseEnvironment } from "./environment-file";
export * from "./naming";
export * from "./own-environment";
export * from "./platform";
