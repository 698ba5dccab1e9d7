/** The files of the repository: what git tracks, and new ones that it does not ignore. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

export function trackedFiles() {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  return [...new Set(listed.split("\0"))].filter((file) => file !== "" && existsSync(file));
}
