/** Servers with their folder on a file system of a few MiB, which can be filled and made read-only. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, symlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { World } from "../testbed/world";

const SERVERS = ["web-1", "proxy-1"];
/** Room for ten releases of the sample application, and logs. */
const SIZE_MIB = 24;
const BALLAST = "ballast";

/** Call it before base is deployed: the servers' folders become links into the file systems. */
export function makeSmallDisks(world: World): SmallDisk[] {
  return SERVERS.map((server) => {
    const mountPoint = world.path(`disks/${server}`);
    mkdirSync(mountPoint, { recursive: true });
    mount("-t", "tmpfs", "-o", `size=${SIZE_MIB}m,mode=0750`, "bluegreen-faults", mountPoint);
    const folder = join(mountPoint, server);
    mkdirSync(folder);
    mkdirSync(world.path(".bluegreen/local/servers"), { recursive: true });
    symlinkSync(folder, world.path(`.bluegreen/local/servers/${server}`));
    return new SmallDisk(server, mountPoint);
  });
}

export class SmallDisk {
  constructor(
    readonly server: string,
    private readonly mountPoint: string,
  ) {}

  /** To the last byte. */
  fill(): void {
    const file = openSync(join(this.mountPoint, BALLAST), "w");
    try {
      for (let size = 1 << 20; size >= 1; size >>= 1) {
        try {
          for (;;) writeSync(file, Buffer.alloc(size, 1));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        }
      }
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(join(this.mountPoint, BALLAST), { force: true });
  }

  /** Read-only by path. Files and folders that are already open stay writable. */
  makeReadOnly(): void {
    mount("--bind", this.mountPoint, this.mountPoint);
    mount("-o", "remount,ro,bind", this.mountPoint);
  }

  makeWritable(): void {
    this.unmount();
  }

  /** Removes the last mount. Processes that use it keep it. */
  unmount(): void {
    const { status, stderr } = spawnSync("umount", ["--lazy", this.mountPoint], { encoding: "utf8" });
    if (status !== 0) throw new Error(`umount: ${stderr}`);
  }
}

function mount(...args: string[]): void {
  const { status, stderr } = spawnSync("mount", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`mount: ${stderr}`);
}
