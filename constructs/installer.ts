/** What installs a release into a slot of a server: a script, and its parameters besides release and slot. */
import { onServerProgram } from "./on-server-program";

/**
 * What installs a release into a slot of a server. For a custom script see the contract in docs/library.md, "A custom
 * installer".
 */
export interface Installer {
  /**
   * Path of the script: bash, or PowerShell for Windows servers. Its last line on stdout must be one JSON object with an
   * "outcome", or the step fails.
   */
  readonly script: string;
  /** Added to the parameters of release and slot; they may replace these. No secrets: plan and state would contain them. */
  readonly parameters?: Readonly<Record<string, string>>;
  /**
   * Path of a script that checks, before a release begins, whether each server that gets it can take it. It has the same
   * parameters, without those of release and slot, and the same kind of result line. @default - no check
   */
  readonly check?: string;
  /** How long it may wait for what does not depend on the release (permissions, downloads), in seconds. @default 0 */
  readonly patienceSeconds?: number;
}

/** The options of {@link linuxInstaller}. */
export interface LinuxInstallerProps {
  /**
   * What keeps instances running. `systemd`: a unit for each slot, started again after a reboot. `process`: plain
   * processes. `auto`: systemd if it runs. @default "auto"
   */
  readonly serviceManager?: "auto" | "systemd" | "process";
  /** An absolute folder that all releases on a server share. @default - `data` in the server's folder */
  readonly dataFolder?: string;
  /**
   * The account that instances run as, under systemd or started by root. It must exist. @default - "www-data" under systemd,
   * else the account that runs the step
   */
  readonly serviceUser?: string;
  /**
   * Whether instances may reach the metadata address of the machine (169.254.169.254), and so act as its managed
   * identity. Under systemd they can't otherwise. @default false
   */
  readonly allowMetadata?: boolean;
  /** The host from which artifacts are fetched with `identity`, as in "shop.blob.core.windows.net". @default - none */
  readonly artifactHost?: string;
  /** The resource id of the servers' user-assigned identity that may read there. @default - none */
  readonly identity?: string;
  /**
   * Folders inside the application that all servers share, as in "public/uploads", and where the share is on each server: an
   * absolute folder, by default `shared` in the server's. The file `.bluegreen/share` marks it. @default - none
   */
  readonly sharedStorage?: { readonly folder?: string; readonly paths: readonly string[] };
  /** See {@link Installer.patienceSeconds}. @default 0 */
  readonly patienceSeconds?: number;
}

/** This package's installer for Linux: unpacks an archive, starts `environment.start`, waits until the release is healthy. */
export function linuxInstaller(props: LinuxInstallerProps = {}): Installer {
  const { serviceManager = "auto", dataFolder, serviceUser, artifactHost, identity, sharedStorage } = props;
  return {
    script: onServerProgram("install/install-release.sh"),
    patienceSeconds: props.patienceSeconds ?? 0,
    ...(sharedStorage === undefined ? {} : { check: onServerProgram("install/check-shared-storage.sh") }),
    parameters: {
      ...(artifactHost === undefined ? {} : { ARTIFACT_HOST: artifactHost }),
      ...(identity === undefined ? {} : { IDENTITY: identity }),
      SERVICE_MANAGER: serviceManager,
      ...(dataFolder === undefined ? {} : { DATA_FOLDER: dataFolder }),
      ...(serviceUser === undefined ? {} : { SERVICE_USER: serviceUser }),
      ...(props.allowMetadata === true ? { ALLOW_METADATA: "yes" } : {}),
      ...(sharedStorage === undefined
        ? {}
        : {
            ...(sharedStorage.folder === undefined ? {} : { SHARED_FOLDER: sharedStorage.folder }),
            SHARED_PATHS_BASE64: Buffer.from(sharedStorage.paths.join("\n")).toString("base64"),
          }),
    },
  };
}
