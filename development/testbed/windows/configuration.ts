/** The configuration of IIS, as the model of Microsoft.Web.Administration writes it. */

export interface VirtualDirectory {
  readonly path: string;
  readonly physicalPath: string;
}

export interface SiteConfiguration {
  readonly name: string;
  readonly serverAutoStart: boolean;
  readonly bindings: readonly { readonly information: string }[];
  readonly applications: readonly {
    readonly applicationPool: string;
    readonly virtualDirectories: readonly VirtualDirectory[];
  }[];
}

export interface PoolConfiguration {
  readonly name: string;
  readonly autoStart: boolean;
  readonly startMode: "OnDemand" | "AlwaysRunning";
  /** "hh:mm:ss" */
  readonly shutdownTimeLimit: string;
}

export interface IisConfiguration {
  readonly sites: readonly SiteConfiguration[];
  readonly pools: readonly PoolConfiguration[];
}

/** Where a path of Windows is in the machine's folder. */
export function realPath(root: string, path: string): string {
  return `${root}/${path[0]!.toUpperCase()}/${path.slice(3).replaceAll("\\", "/")}`;
}

export function virtualDirectories(site: SiteConfiguration): readonly VirtualDirectory[] {
  return site.applications[0]!.virtualDirectories;
}

export function folderOf(site: SiteConfiguration): string {
  return virtualDirectories(site).find(({ path }) => path === "/")!.physicalPath;
}
