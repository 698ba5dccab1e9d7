/**
 * How long one release takes: ours, against Terraform alone with the same steps in the same graph
 * (plan and apply in a shell, as one would with hand-written HCL), and against `cdktf deploy`. The three take turns on one
 * environment of the local platform, with two servers behind HAProxy; nothing bakes, and the command measures no requests.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, seconds, spread } from "./figures.mjs";
import { PATH, REPOSITORY } from "./sites/place.mjs";

const COMMAND = join(REPOSITORY, "lib/cli/main.js");
const CDKTF = join(REPOSITORY, "node_modules/.bin/cdktf");
const VERSIONS = ["1.0.0", "1.1.0"];
const WAYS = ["terraform", "bluegreen", "cdktf"];
const PORT_BASE = 27_000;

/** Starts the real program, and records start and end. */
const NOTING = (real, log) => `#!/usr/bin/env bash
began=$EPOCHREALTIME
${real} "$@"
code=$?
printf '%s %s %s\\n' "$began" "$EPOCHREALTIME" "$1" >>${log}
exit $code
`;

/** @param rounds the number of releases in each way */
export async function measureReleases({ rounds, log }) {
  const project = new Project();
  try {
    await project.release(VERSIONS[0]);
    await project.release(VERSIONS[1]);
    const runs = Object.fromEntries(WAYS.map((way) => [way, []]));
    for (let round = 0; round < rounds; round += 1) {
      for (let turn = 0; turn < WAYS.length; turn += 1) {
        const way = WAYS[(round + turn) % WAYS.length];
        const run = await project[way]();
        runs[way].push(run);
        log(`${way}: ${seconds(run.wallMs)}, of that Terraform ${seconds(run.terraformMs)}`);
      }
    }
    return summary(rounds, runs);
  } finally {
    await project.close();
  }
}

function summary(rounds, { terraform, bluegreen, cdktf }) {
  const own = ({ wallMs, terraformMs }) => wallMs - terraformMs;
  const of = (runs, figure) => median(runs.map(figure));
  const parts = (runs) =>
    Object.fromEntries(
      [...new Set(runs.flatMap(({ calls }) => Object.keys(calls)))].map((name) => [
        name,
        of(runs, ({ calls }) => calls[name] ?? 0),
      ]),
    );
  return {
    rounds,
    terraform: { wallMs: of(terraform, ({ wallMs }) => wallMs), calls: parts(terraform) },
    bluegreen: {
      wallMs: of(bluegreen, ({ wallMs }) => wallMs),
      calls: parts(bluegreen),
      /** The time without Terraform: the command, and the synth. */
      ownMs: spread(bluegreen.map(own)),
      ratio: spread(bluegreen.map(({ wallMs }, round) => wallMs / terraform[round].wallMs)),
    },
    cdktf: {
      wallMs: of(cdktf, ({ wallMs }) => wallMs),
      calls: parts(cdktf),
      ownMs: spread(cdktf.map(own)),
      ratio: spread(cdktf.map(({ wallMs }, round) => wallMs / terraform[round].wallMs)),
    },
  };
}

class Project {
  folder = mkdtempSync(join(tmpdir(), "bluegreen-bench-release-"));
  log = join(this.folder, "calls.log");
  environment = {
    ...process.env,
    PATH: `${join(this.folder, "bin")}:${PATH}`,
    TERRAFORM_BINARY_NAME: join(this.folder, "bin/terraform"),
    CHECKPOINT_DISABLE: "1",
    DISABLE_VERSION_CHECK: "1",
    CI: "1",
  };
  next = 0;

  constructor() {
    const real = spawnSync("sh", ["-c", "command -v terraform || command -v tofu"], {
      encoding: "utf8",
    }).stdout.trim();
    if (real === "") throw new Error("neither terraform nor tofu is on PATH");
    mkdirSync(join(this.folder, "bin"));
    this.program("terraform", real);
    this.program("synth", `${process.execPath} ${join(REPOSITORY, "lib/main.js")}`);
    this.must([COMMAND, "init", "--example", "--yes"]);
    this.edit("environments/local.json", (file) => ({
      ...file,
      platform: { kind: "local", portBase: PORT_BASE },
      verification: { ...file.verification, intervalSeconds: 0.2 },
      schedule: { strategy: "blueGreen", bakeSeconds: 0, drainSeconds: 10 },
      measurement: { rate: 0 },
    }));
    this.edit("cdktf.json", (file) => ({ ...file, app: `${join(this.folder, "bin/synth")}` }));
  }

  program(name, real) {
    const file = join(this.folder, "bin", name);
    writeFileSync(file, NOTING(real, this.log));
    chmodSync(file, 0o755);
  }

  edit(name, change) {
    const file = join(this.folder, name);
    writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, "utf8"))), null, 2));
  }

  artifact() {
    const version = VERSIONS[this.next++ % VERSIONS.length];
    return [version, "--artifact", `packages/socialgoal-${version}.zip`];
  }

  release() {
    return this.bluegreen();
  }

  bluegreen() {
    return this.timed([process.execPath, COMMAND, "release", ...this.artifact(), "--json"]);
  }

  /** The same steps: the synthesized stack of the next record, as if written by hand. */
  terraform() {
    this.planNext();
    const stack = join(this.folder, ".bluegreen/local/cdktf.out/stacks/web");
    const terraform = this.environment.TERRAFORM_BINARY_NAME;
    const script = `"$1" init -input=false && "$1" plan -input=false -out=by-hand.tfplan && "$1" apply -input=false by-hand.tfplan`;
    return this.timed(["sh", "-ec", script, "sh", terraform], stack);
  }

  cdktf() {
    this.planNext();
    return this.timed([CDKTF, "deploy", "web", "--ignore-missing-stack-dependencies", "--auto-approve"]);
  }

  /** Writes the next record, like an edit by hand. */
  planNext() {
    this.must([COMMAND, "plan", "release", ...this.artifact(), "--json"]);
    const planned = readFileSync(join(this.folder, ".bluegreen/local/planned-record.json"));
    writeFileSync(join(this.folder, "release.json"), planned);
  }

  /** Times one process and the programs that it calls. */
  async timed([program, ...args], cwd = this.folder) {
    writeFileSync(this.log, "");
    const began = performance.now();
    const child = spawn(program, args, { cwd, env: this.environment, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (output += text));
    const [code] = await once(child, "close");
    const wallMs = performance.now() - began;
    if (code !== 0)
      throw new Error(`${[program, ...args].join(" ")} ended with ${code}: ${output.slice(-2000)}`);
    const calls = {};
    for (const line of readFileSync(this.log, "utf8").split("\n").filter(Boolean)) {
      const [from, to, name = "synth"] = line.split(" ");
      calls[name || "synth"] = (calls[name || "synth"] ?? 0) + 1000 * (Number(to) - Number(from));
    }
    const terraformMs = Object.entries(calls).reduce(
      (sum, [name, each]) => sum + (name === "synth" ? 0 : each),
      0,
    );
    return { wallMs, terraformMs, calls };
  }

  must(args) {
    const { status, stderr } = spawnSync(process.execPath, args, {
      cwd: this.folder,
      env: this.environment,
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
  }

  close() {
    spawnSync(process.execPath, [COMMAND, "down"], { cwd: this.folder, env: this.environment });
    rmSync(this.folder, { recursive: true, force: true });
  }
}
