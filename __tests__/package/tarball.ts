/** What publishing would send, made of what is built. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

export interface Tarball {
  readonly path: string;
  readonly bytes: number;
  readonly unpackedBytes: number;
  /** Sorted, as they are named in the package. */
  readonly files: readonly string[];
}

export function pack(folder: string): Tarball {
  const args = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder];
  const output = execFileSync("npm", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const [packed] = JSON.parse(output) as {
    filename: string;
    size: number;
    unpackedSize: number;
    files: { path: string }[];
  }[];
  const { filename, size, unpackedSize, files } = packed!;
  return {
    path: join(folder, filename),
    bytes: size,
    unpackedBytes: unpackedSize,
    files: files.map(({ path }) => path).sort(),
  };
}
