/** The constructs for the local platform, where a server is a folder and an instance a process. */
export { LocalDatabase, LocalProxy, LocalWebServer } from "./local-machines";
export type {
  ILocalDatabase,
  LocalDatabaseAttributes,
  LocalDatabaseProps,
  LocalMachineProps,
  LocalProxyProps,
  LocalWebServerProps,
} from "./local-machines";
export { LocalServer } from "./local-server";
export type { LocalServerAttributes, LocalServerProps } from "./local-server";
