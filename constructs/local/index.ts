/** The constructs for the local platform, where a server is a folder and an instance a process. */
export * from "./local-machines";
export * from "./local-platform";
export * from "./local-server";
