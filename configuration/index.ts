/**
 * Environments without cdktf, from a file or written in code, and the director's input. Everything not exported here is
 * internal.
 */
export { directorSpec } from "./director-spec";
export type { DirectorSpec } from "./director-spec";
export type { DriverCommand } from "./drivers";
export type { AzureEnvironment, Environment, LocalEnvironment } from "./environment";
export { parseEnvironment } from "./environment-file";
export { customEnvironment } from "./custom-environment";
export type { DeploymentEnvironment, CustomEnvironment, CustomEnvironmentProps } from "./custom-environment";
