/**
 * The constructs for Azure: a server that runs steps, a whole environment, and those of its parts that may exist
 * already. The other parts (monitoring, patching, machine set-up) are internal.
 */
export { useAzurerm } from "./azurerm";
export { AzureVirtualMachine } from "./azure-virtual-machine";
export type { AzureVirtualMachineProps, VirtualMachineAttributes } from "./azure-virtual-machine";
export { AzureInfrastructure } from "./azure-infrastructure";
export type { AzureInfrastructureProps } from "./azure-infrastructure";
export { ArtifactStore } from "./artifact-store";
export type { ArtifactStoreAttributes, ArtifactStoreProps, IArtifactStore } from "./artifact-store";
export { Database } from "./database";
export type { DatabaseAttributes, DatabaseProps, IDatabase } from "./database";
export { LoadBalancer } from "./load-balancer";
export type { ILoadBalancer, LoadBalancerAttributes, LoadBalancerProps } from "./load-balancer";
export { Machine } from "./machine";
export type { IMachine, MachineAttributes, MachineProps, OperatingSystem } from "./machine";
export { Network } from "./network";
export type { INetwork, NetworkAttributes, NetworkProps } from "./network";
export type { GuardedRole } from "./network-rules";
export type { Placement } from "./placement";
export { SecretStore } from "./secret-store";
export type { ISecretStore, SecretStoreAttributes, SecretStoreProps } from "./secret-store";
