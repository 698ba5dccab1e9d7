/** The constructs for Azure: a server that runs steps, and all that base is made of there. */
export * from "./artifact-store";
export * from "./azure-infrastructure";
export * from "./azure-platform";
export * from "./azure-virtual-machine";
export * from "./database";
export * from "./load-balancer";
export * from "./machine";
export * from "./machine-setup";
export * from "./monitoring";
export * from "./network";
export * from "./patching";
export * from "./placement";
export * from "./private-endpoint";
export * from "./run-command";
export * from "./secret-store";
