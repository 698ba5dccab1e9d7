/** What the project must have: an environment and a record that are read, an app that synthesizes, room to work. */
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Environment } from "../../../configuration/environment";
import { workFolder } from "../../../configuration/naming";
import { isLocal } from "../../../configuration/platform";
import { emptyRecord, formatRecord, target } from "../../../release/record";
import type { ReleaseRecord } from "../../../release/record";
import { releaseId } from "../../../release/release";
import { takenPorts } from "../../project/ports";
import { readRecord } from "../../project/project";
import type { Project } from "../../project/project";
import { proxiesOf } from "../../proxies/proxies-of";
import { failed, firstLine, ok, warning } from "./check";
import type { Check } from "./check";
import { runLimited } from "../../../system/run-limited";

const FILE_SECONDS = 10;
const SYNTH_SECONDS = 60;
const LEAST_FREE_BYTES = 512 * 1024 * 1024;

/** What this package is built with; other versions of them in one project do not fit together. */
const PEERS: Readonly<Record<string, string>> = {
  cdktf: "0.21",
  constructs: "10",
  "@cdktf/provider-azurerm": "14",
};

export function environmentCheck(file: string, environment: Environment | null, problem: string): Check {
  return {
    name: "environment",
    seconds: FILE_SECONDS,
    run() {
      if (environment === null)
        return failed(problem, `mend ${file}, or make an environment with \`bluegreen init\``);
      const { application, name, topology, servers, platform } = environment;
      return ok(
        `${name}: ${application}, ${platform.kind}, ${topology}, ${servers.count} server${servers.count === 1 ? "" : "s"}`,
      );
    },
  };
}

export function recordCheck(project: Project): Check {
  const { record: file } = project.environment;
  return {
    name: "record",
    seconds: FILE_SECONDS,
    run() {
      if (!existsSync(join(project.folder, file))) {
        return ok(
          `${file} is not there: right before the first release, else \`bluegreen recover\` rebuilds it`,
        );
      }
      try {
        const record = readRecord(project);
        const active = target(record);
        return ok(
          record.sequence === 0
            ? `${file}: nothing was released yet`
            : `${file}: sequence ${record.sequence}, ${active === null ? "nothing" : releaseId(active)} in ${record.active}`,
        );
      } catch (error) {
        return failed(
          firstLine((error as Error).message),
          "mend it, take it from the history of your repository, or `bluegreen recover`",
        );
      }
    },
  };
}

/** Where a project brings CDKTF itself, for stacks of its own. */
export function packagesCheck({ folder }: Project): Check {
  return {
    name: "packages",
    seconds: FILE_SECONDS,
    run() {
      const { resolve } = createRequire(join(folder, "package.json"));
      const there = Object.keys(PEERS).flatMap((name) => {
        try {
          const file = resolve(`${name}/package.json`);
          const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
          return [{ name, version }];
        } catch {
          return [];
        }
      });
      if (there.length === 0)
        return ok("the project has no CDKTF of its own: the package brings what it needs");
      const odd = there.filter(({ name, version }) => !version.startsWith(`${PEERS[name]}.`));
      const words = there.map(({ name, version }) => `${name} ${version}`).join(", ");
      if (odd.length === 0) return ok(words);
      const wanted = odd.map(({ name }) => `${name}@${PEERS[name]}`).join(" ");
      return warning(words, `cdktf-bluegreen is tested with others: npm install ${wanted}`);
    },
  };
}

/** Runs the app into a folder of its own: what a release at work synthesized stays as it is. */
export function synthCheck(project: Project, output: string): Check {
  const [program, ...args] = project.synth;
  return {
    name: "synth",
    seconds: SYNTH_SECONDS + 5,
    async run() {
      const startedAt = Date.now();
      const { exitCode, stdout, stderr } = await runLimited(program, args, {
        seconds: SYNTH_SECONDS,
        cwd: project.folder,
        env: {
          BLUEGREEN_ENVIRONMENT: project.environmentFile,
          CDKTF_OUTDIR: output,
          ...insteadOfDamaged(project, output),
        },
      });
      const app = args.at(-1) ?? program;
      if (exitCode !== 0) {
        const said = (stderr || stdout).trim().split("\n").slice(-3).join(" ");
        return failed(
          `${firstLine(app)} ended with exit code ${exitCode}: ${said.slice(0, 300)}`,
          'mend the app in cdktf.json ("node node_modules/cdktf-bluegreen/lib/main.js" is the package\'s own)',
        );
      }
      const missing = ["base", "web"].filter(
        (stack) => !existsSync(join(project.folder, output, "stacks", stack, "cdk.tf.json")),
      );
      if (missing.length > 0) {
        return failed(
          `${firstLine(app)} makes no stack ${missing.join(" and no ")}`,
          "the command works on the stacks `base` and `web`: give yours these names",
        );
      }
      const seconds = (Date.now() - startedAt) / 1000;
      const took = `in ${seconds.toFixed(1)} s`;
      return seconds > 20
        ? warning(
            `base and web ${took}`,
            "import only the provider classes that are used: an index import is slow",
          )
        : ok(`base and web ${took}`);
    },
  };
}

/** A record that can't be read is a finding of its own: it does not hide whether the app works. */
function insteadOfDamaged(project: Project, output: string): { BLUEGREEN_RECORD?: string } {
  if (recordOrNull(project) !== null) return {};
  const file = `${output}/empty-record.json`;
  mkdirSync(join(project.folder, output), { recursive: true });
  writeFileSync(join(project.folder, file), formatRecord(emptyRecord(project.environment.application)));
  return { BLUEGREEN_RECORD: file };
}

/** @returns null where it is there and can't be read. */
export function recordOrNull(project: Project): ReleaseRecord | null {
  try {
    return readRecord(project);
  } catch {
    return null;
  }
}

export function workFolderCheck({ folder, environment }: Project): Check {
  const below = workFolder(environment);
  return {
    name: "work folder",
    seconds: FILE_SECONDS,
    run() {
      const path = join(folder, below);
      const probe = join(path, `.doctor-${process.pid}`);
      try {
        mkdirSync(path, { recursive: true });
        writeFileSync(probe, "");
        rmSync(probe);
      } catch (error) {
        return failed(
          `${below} can't be written (${(error as NodeJS.ErrnoException).code})`,
          "make it writable",
        );
      }
      const { bavail, bsize } = statfsSync(path);
      const free = bavail * bsize;
      const words = `${below} is writable, ${(free / 1024 ** 3).toFixed(1)} GiB free`;
      return free < LEAST_FREE_BYTES ? warning(words, "make room: releases are unpacked there") : ok(words);
    },
  };
}

export function portsCheck(project: Project): Check[] {
  const { environment } = project;
  if (!isLocal(environment)) return [];
  return [
    {
      name: "ports",
      seconds: FILE_SECONDS,
      async run() {
        const { portBase } = environment.platform;
        const taken = await takenPorts(environment);
        if (taken.length === 0) return ok(`${portBase} and those above are free`);
        const noTerraform = () => Promise.reject(new Error("a local proxy is asked without Terraform"));
        if (proxiesOf(project, noTerraform).baseIsDeployed())
          return ok(`${portBase}: in use by this environment`);
        return failed(
          `${taken.join(", ")} ${taken.length === 1 ? "is" : "are"} in use by something else`,
          "stop what listens there, or set another platform.portBase",
        );
      },
    },
  ];
}
