/** What installs a release into a slot of a server: a script, and what it is told besides the release and the slot. */
import { onServerProgram } from "./on-server-program";

/**
 * What installs a release into a slot of a server. An own one is a script that keeps the contract in docs/library.md,
 * "An own installer".
 */
export interface Installer {
  /**
   * Path of the script: bash, or PowerShell where the servers run Windows. Its last line on stdout is one JSON object with
   * an "outcome": without it the step fails.
   */
  readonly script: string;
  /** Besides those of the release and the slot, which they may replace. No secrets: they would be in plan and state. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** How long it may wait for what is not the release's fault (rights, downloads), in seconds. @default 0 */
  readonly patienceSeconds?: number;
}

/** What may differ from the defaults of {@link linuxInstaller}. */
export interface LinuxInstallerProps {
  /**
   * What keeps instances running. `systemd`: a unit for each slot, started again after a reboot. `process`: processes
   * of their own. `auto`: systemd where it runs. @default "auto"
   */
  readonly serviceManager?: "auto" | "systemd" | "process";
  /** An absolute folder that all releases on a server share. @default - `data` in the server's folder */
  readonly dataFolder?: string;
  /** The user that instances run as under systemd. It must exist. @default "www-data" */
  readonly serviceUser?: string;
  /** The host that artifacts are fetched from with `identity`, as in "shop.blob.core.windows.net". @default - none: without */
  readonly artifactHost?: string;
  /** The resource id of the servers' user-assigned identity that may read there. @default - none */
  readonly identity?: string;
  /** See {@link Installer.patienceSeconds}. @default 0 */
  readonly patienceSeconds?: number;
}

/** The installer that this package brings along for Linux: unpacks an archive, starts `environment.start`, waits for health. */
export function linuxInstaller(props: LinuxInstallerProps = {}): Installer {
  const { serviceManager = "auto", dataFolder, serviceUser, artifactHost, identity } = props;
  return {
    script: onServerProgram("install/install-release.sh"),
    patienceSeconds: props.patienceSeconds ?? 0,
    parameters: {
      ...(artifactHost === undefined ? {} : { ARTIFACT_HOST: artifactHost }),
      ...(identity === undefined ? {} : { IDENTITY: identity }),
      SERVICE_MANAGER: serviceManager,
      ...(dataFolder === undefined ? {} : { DATA_FOLDER: dataFolder }),
      ...(serviceUser === undefined ? {} : { SERVICE_USER: serviceUser }),
    },
  };
}
