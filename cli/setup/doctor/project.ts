/** Checks the project: environment, record, packages, synth, work folder, ports. */
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Environment } from "../../../configuration/environment";
import { workFolder } from "../../../configuration/naming";
import { isLocal } from "../../../configuration/platform";
import { emptyRecord, formatRecord, target } from "../../../release/record";
import type { ReleaseRecord } from "../../../release/record";
import { releaseId } from "../../../release/release";
import { TESTED } from "../../project/engines";
import { takenPorts } from "../../project/ports";
import { readRecord } from "../../project/project";
import type { Project } from "../../project/project";
import { proxiesOf } from "../../proxies/proxies-of";
import { failed, firstLine, ok, warning } from "./check";
import type { Check } from "./check";
import { privateFolder } from "../../../system/private-files";
import { runLimited } from "../../../system/run-limited";
import { lastMessage } from "../../terraform/synth";

const FILE_SECONDS = 10;
const SYNTH_SECONDS = 60;
const LEAST_FREE_BYTES = 512 * 1024 * 1024;

/** What the stacks import, under these names. */
const PEERS = ["cdktf", "constructs", "@cdktf/provider-azurerm"];

export function environmentCheck(file: string, environment: Environment | null, problem: string): Check {
  return {
    name: "environment",
    seconds: FILE_SECONDS,
    run() {
      if (environment === null)
        return failed(problem, `fix ${file}, or create an environment with \`bluegreen init\``);
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
          `${file} does not exist: correct before the first release; otherwise \`bluegreen recover\` rebuilds it`,
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
          "fix it, restore it from your repository's history, or `bluegreen recover`",
        );
      }
    },
  };
}

/** For a project that installs CDKTF itself, for custom stacks. */
export function packagesCheck({ folder }: Project): Check {
  return {
    name: "packages",
    seconds: FILE_SECONDS,
    run() {
      const { resolve } = createRequire(join(folder, "package.json"));
      const installed = PEERS.flatMap((alias) => {
        try {
          const file = resolve(`${alias}/package.json`);
          const { name, version } = JSON.parse(readFileSync(file, "utf8")) as Installed;
          return [{ alias, name, version }];
        } catch {
          return [];
        }
      });
      if (installed.length === 0) return ok("the project installs no CDKTF: the package includes it");
      const others = installed.filter(({ name, version }) => !version.startsWith(`${TESTED[name]}.`));
      const versions = installed
        .map(({ alias, name, version }) => `${name} ${version}${alias === name ? "" : ` as ${alias}`}`)
        .join(", ");
      if (others.length === 0) return ok(versions);
      const wanted = others.map(({ alias, name }) => {
        if (TESTED[name] === undefined || alias === name) return `${alias}@${TESTED[alias]}`;
        return `${alias}@npm:${name}@${TESTED[name]}`;
      });
      return warning(
        versions,
        `cdktf-bluegreen is tested with other versions: npm install ${wanted.join(" ")}`,
      );
    },
  };
}

interface Installed {
  readonly name: string;
  readonly version: string;
}

/** Synthesizes into a separate folder: the output of a running release stays unchanged. */
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
        const message = lastMessage(stderr || stdout).slice(0, 300);
        return failed(
          `${firstLine(app)} ended with exit code ${exitCode}: ${message}`,
          'fix the app in cdktf.json (the package\'s app is "node node_modules/cdktf-bluegreen/lib/main.js")',
        );
      }
      const missing = ["base", "web"].filter(
        (stack) => !existsSync(join(project.folder, output, "stacks", stack, "cdk.tf.json")),
      );
      if (missing.length > 0) {
        return failed(
          `${firstLine(app)} synthesizes no stack ${missing.join(" and no ")}`,
          "name your stacks `base` and `web`: the command works on these",
        );
      }
      const seconds = (Date.now() - startedAt) / 1000;
      const took = `in ${seconds.toFixed(1)} s`;
      return seconds > 20
        ? warning(`base and web ${took}`, "import single provider classes: an index import is slow")
        : ok(`base and web ${took}`);
    },
  };
}

/** Replaces a damaged record by an empty one, so that the app can be checked: the record has its own check. */
function insteadOfDamaged(project: Project, output: string): { BLUEGREEN_RECORD?: string } {
  if (recordOrNull(project) !== null) return {};
  const file = `${output}/empty-record.json`;
  mkdirSync(join(project.folder, output), { recursive: true });
  writeFileSync(join(project.folder, file), formatRecord(emptyRecord(project.environment.application)));
  return { BLUEGREEN_RECORD: file };
}

/** @returns null if it exists but can't be read. */
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
        privateFolder(path);
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
      const found = `${below} is writable, ${(free / 1024 ** 3).toFixed(1)} GiB free`;
      return free < LEAST_FREE_BYTES
        ? warning(found, "free disk space: releases are unpacked there")
        : ok(found);
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
        if (taken.length === 0) return ok(`${portBase} and the ports above it are free`);
        const noTerraform = () => Promise.reject(new Error("local proxies need no Terraform"));
        if (proxiesOf(project, noTerraform).baseIsDeployed({ sequence: 1 }))
          return ok(`${portBase}: in use by this environment`);
        return failed(
          `${taken.join(", ")} ${taken.length === 1 ? "is" : "are"} in use by another program`,
          "stop that program, or change platform.portBase",
        );
      },
    },
  ];
}
