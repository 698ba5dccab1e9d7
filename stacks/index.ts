/**
 * The library, `cdktf-bluegreen`: the public API for an app that composes its stacks. Azure's constructs are in
 * `cdktf-bluegreen/constructs/azure`, because the provider's classes load slowly. Everything that is not named in an entry
 * of package.json is internal.
 */

// The two ready-made stacks, for an app that adds its resources beside them.
export { BaseStack } from "./base-stack";
export type { BaseStackProps } from "./base-stack";
export { WebStack } from "./web-stack";
export type { WebStackProps } from "./web-stack";

// The input of a deployment: where an application runs, and the record of what should run there.
export { customEnvironment } from "../configuration/custom-environment";
export type {
  DeploymentEnvironment,
  CustomEnvironment,
  CustomEnvironmentProps,
} from "../configuration/custom-environment";
export { parseEnvironment } from "../configuration/environment-file";
export type { AzureEnvironment, Environment, LocalEnvironment } from "../configuration/environment";
export type { HttpSettings } from "../configuration/http-settings";
export { emptyRecord, formatRecord, parseRecord } from "../release/record";
export type { ReleaseRecord } from "../release/record";
export type { Release } from "../release/release";

// How a record becomes the next one, and how its traffic shifts, for an app that writes its record from code.
/** The transitions of a record: each function returns the next one, or refuses. */
export * as transitions from "../release/transitions";
export { Strategy } from "../release/schedule";
export type {
  BlueGreenProps,
  CanaryProps,
  RecreateProps,
  Schedule,
  ScheduleChoice,
} from "../release/schedule";

// The errors for the app's user, each with its exit code: bad input, and a transition that the record refuses.
export { EXIT } from "../release/exit-code";
export type { ExitCode, FailureCode } from "../release/exit-code";
export { Failure, InvalidInput, Refusal } from "../release/failure";

// A whole deployment, and each of its parts.
export { BlueGreenDeployment } from "../constructs/blue-green-deployment";
export type { BlueGreenDeploymentProps } from "../constructs/blue-green-deployment";
export { TrafficSwitch } from "../constructs/traffic-switch";
export type { TrafficSwitchProps } from "../constructs/traffic-switch";
export { ReleaseInstallation } from "../constructs/release-installation";
export type { ReleaseInstallationProps } from "../constructs/release-installation";
export { DatabaseMigration } from "../constructs/database-migration";
export type { DatabaseMigrationProps } from "../constructs/database-migration";
export { DirectorSetup } from "../constructs/director-setup";
export type { DirectorSetupProps } from "../constructs/director-setup";

// For a custom server.
export { requireRunName } from "../constructs/server";
export type { RunProps, Server } from "../constructs/server";
export { shippedFile } from "../constructs/on-server-program";
export { TerraformData } from "../constructs/terraform-data";
export type { TerraformDataProps } from "../constructs/terraform-data";

// For a custom driver, installer or migrator, and those of this package.
export { directorSpec } from "../configuration/director-spec";
export type { DirectorSpec } from "../configuration/director-spec";
export type { DriverCommand } from "../configuration/drivers";
export { linuxInstaller } from "../constructs/installer";
export type { Installer, LinuxInstallerProps } from "../constructs/installer";
export { localMigrator, migratorProgram } from "../constructs/migrator";
export type { LocalMigratorProps, Migrator, MigratorProgram } from "../constructs/migrator";
export type { DatabaseAccess } from "../release/migrate-spec";

// The local platform, to try a stack without a cloud.
export { LocalDatabase, LocalProxy, LocalServer, LocalWebServer } from "../constructs/local";
export type {
  ILocalDatabase,
  LocalDatabaseAttributes,
  LocalDatabaseProps,
  LocalMachineProps,
  LocalProxyProps,
  LocalServerAttributes,
  LocalServerProps,
  LocalWebServerProps,
} from "../constructs/local";
