/** Variables as people export them, each of which changes what shells or tools do. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export const HABITS: Readonly<Record<string, string>> = {
  POSIXLY_CORRECT: "1",
  CDPATH: "/usr:/",
  GLOBIGNORE: "*",
  TMOUT: "1",
  SHELLOPTS: "noclobber:noglob:posix",
  BASHOPTS: "nocasematch:failglob",
  "BASH_FUNC_curl%%": "() { echo no curl; return 9; }",
  "BASH_FUNC_find%%": "() { return 9; }",
  TAR_OPTIONS: "--exclude=*.js --verbose",
  UNZIP: "-l",
  UNZIPOPT: "-l",
  ZIPINFO: "-v",
  ZIPINFOOPT: "-v",
  GZIP: "--no-such-option",
  GREP_OPTIONS: "--invert-match",
  GREP_COLORS: "mt=01;31",
  BLOCK_SIZE: "human-readable",
  DU_BLOCK_SIZE: "1",
  QUOTING_STYLE: "c",
  LC_ALL: "C.UTF-8",
  LC_NUMERIC: "C.UTF-8",
  LANGUAGE: "de",
  PYTHONHOME: "/nowhere",
  NODE_PATH: "/nowhere",
};

/** A file for BASH_ENV, which every bash runs first. */
export function startFile(folder: string): string {
  const file = join(folder, "bash-env");
  writeFileSync(
    file,
    "shopt -s failglob\nset -C\nstat() { return 9; }\nalias cp='cp -i'\ntar() { return 9; }\n",
  );
  return file;
}
