/** Checks this machine: Node, Terraform, the programs of the local platform, a proxy, PostgreSQL. */
import type { Environment } from "../../../configuration/environment";
import { isLocal } from "../../../configuration/platform";
import { findProgram } from "../../../system/executable";
import { findPrograms } from "../../../system/postgres-programs";
import { packagedPostgres } from "../../packaged-postgres";
import { databaseServer } from "../../project/database-server";
import type { TerraformBinary } from "../../terraform/binary";
import { failed, firstLine, ok, warning } from "./check";
import type { Check, Finding } from "./check";
import { runLimited } from "../../../system/run-limited";

/** As in `engines` of package.json. */
const OLDEST_NODE = [20, 19] as const;
const PROGRAM_SECONDS = 10;
/** The first use may download it. */
const TERRAFORM_SECONDS = 120;

/** Used by the scripts on the local platform's servers. */
const LOCAL_PROGRAMS = [
  "bash",
  "curl",
  "flock",
  "setsid",
  "timeout",
  "pkill",
  "realpath",
  "sha256sum",
  "awk",
  "find",
];

export function nodeCheck(version = process.versions.node): Check {
  return {
    name: "node",
    seconds: PROGRAM_SECONDS,
    run() {
      const [major = 0, minor = 0] = version.split(".").map(Number);
      const [oldest, oldestMinor] = OLDEST_NODE;
      return major > oldest || (major === oldest && minor >= oldestMinor)
        ? ok(`Node ${version}`)
        : failed(`Node ${version}`, `install Node ${OLDEST_NODE.join(".")} or newer`);
    },
  };
}

export function terraformCheck(find: () => Promise<TerraformBinary>): Check {
  return {
    name: "terraform",
    seconds: TERRAFORM_SECONDS,
    async run() {
      try {
        const { name, version, path } = await find();
        return ok(`${name} ${version} at ${path}`);
      } catch (error) {
        const [found = "", ...more] = (error as Error).message.split("\n");
        return failed(
          firstLine(found),
          more.join(" ").replace("Fix: ", "") ||
            "install terraform or tofu 1.6 or newer, or set TERRAFORM_BINARY_NAME to one",
        );
      }
    },
  };
}

export function programsCheck(environment: Environment | null): Check {
  const wanted = environment === null || isLocal(environment) ? LOCAL_PROGRAMS : ["flock", "sh"];
  return {
    name: "programs",
    seconds: PROGRAM_SECONDS,
    async run() {
      const missing = wanted.filter((program) => findProgram(program) === undefined);
      const unpacker = ["unzip", "python3"].find((program) => findProgram(program) !== undefined);
      if (wanted === LOCAL_PROGRAMS && unpacker === undefined) missing.push("unzip");
      if (missing.length > 0) return failed(`not on PATH: ${missing.join(", ")}`, installing(missing));
      if (wanted !== LOCAL_PROGRAMS) return ok(wanted.join(", "));
      const { stdout } = await runLimited("bash", ["-c", "echo $BASH_VERSION"], { seconds: PROGRAM_SECONDS });
      return Number(stdout.split(".")[0]) >= 5
        ? ok(`bash ${firstLine(stdout)}, ${wanted.slice(1).join(", ")}, ${unpacker}`)
        : failed(`bash ${firstLine(stdout)}`, "install bash 5 or newer");
    },
  };
}

export function proxyCheck(environment: Environment): Check {
  const { driver } = environment.proxies;
  return {
    name: "proxy",
    seconds: PROGRAM_SECONDS,
    async run() {
      if (!isLocal(environment)) return ok("the base stack installs HAProxy on the proxies");
      if (driver === "embedded") return ok("embedded: a proxy inside Node, for trials");
      const path = findProgram(driver);
      if (path === undefined) {
        return failed(
          `${driver} is not installed`,
          `install it (Debian: apt-get install ${driver}), or set proxies.driver to "embedded"`,
        );
      }
      // NGINX prints its version to stderr.
      const { stdout, stderr } = await runLimited(path, ["-v"], { seconds: PROGRAM_SECONDS });
      return ok(firstLine(stdout || stderr));
    },
  };
}

/** For the local platform only: on Azure, base creates the database. */
export function databaseCheck(environment: Environment): Check[] {
  const { platform } = environment;
  if (platform.kind !== "local" || platform.database === undefined) return [];
  return [{ name: "database", seconds: PROGRAM_SECONDS, run: () => findDatabase(environment) }];
}

async function findDatabase(environment: Environment): Promise<Finding> {
  try {
    const variable = databaseServer(environment);
    if (variable !== null) return ok(`${variable} names a server, where base creates a database`);
  } catch (error) {
    return failed(firstLine((error as Error).message), "fix the variable, then run doctor again");
  }
  const missing = "install PostgreSQL (Debian: apt-get install postgresql), or set PG_URL to a server";
  try {
    const folder = findPrograms(packagedPostgres());
    const { stdout, exitCode } = await runLimited(`${folder}/postgres`, ["--version"], {
      seconds: PROGRAM_SECONDS,
    });
    if (exitCode !== 0) return failed(`${folder}/postgres does not start`, missing);
    return ok(`${firstLine(stdout)} in ${folder}`);
  } catch (error) {
    return failed(firstLine((error as Error).message), missing);
  }
}

/** The Debian packages of the programs. */
const PACKAGES: Readonly<Record<string, string>> = {
  flock: "util-linux",
  setsid: "util-linux",
  timeout: "coreutils",
  realpath: "coreutils",
  sha256sum: "coreutils",
  pkill: "procps",
  awk: "mawk",
};

function installing(programs: readonly string[]): string {
  const packages = new Set(programs.map((program) => PACKAGES[program] ?? program));
  return `install them (Debian: apt-get install ${[...packages].join(" ")})`;
}

export function warnAboutPlatform(platform = process.platform): Check[] {
  if (platform === "linux") return [];
  return [
    {
      name: "system",
      seconds: PROGRAM_SECONDS,
      run: () =>
        warning(platform, "the local platform needs Linux: use a container, or environments on Azure only"),
    },
  ];
}
