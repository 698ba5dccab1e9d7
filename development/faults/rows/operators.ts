/** Operators: two at once, a deleted record, lost Terraform state, a restarted proxy. */
import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync } from "node:fs";
import { until } from "../../testbed/processes";
import type { EndState, Row } from "../row";
import type { Stage } from "../stage";

const unmoved: EndState = { exit: [0], serves: "new", goesOn: ["next release"] };

const STATE = ".bluegreen/local/terraform.web.tfstate";
const WOULD_TOUCH = /the plan would touch the live slot: .*; nothing was applied/;

function loseState(stage: Stage): void {
  stage.world.remove(STATE);
  stage.world.remove(`${STATE}.backup`);
}

async function refused(stage: Stage, ...args: string[]): Promise<void> {
  const ran = await stage.world.run(args);
  if (ran.exitCode !== 3 || !/another release is running here \(release of .* by /.test(ran.stderr))
    throw new Error(`the second operator got exit code ${ran.exitCode}: ${ran.stderr}`);
}

export const OPERATORS: readonly Row[] = [
  {
    name: "two-operators",
    fault: "two operators at once",
    how: "a second `bluegreen release` and a `rollback` in the same project must be refused with exit code 3 and the first one's name",
    phases: { install: unmoved, shift: unmoved, bake: unmoved },
    inject: async (stage, _, phase) => {
      const { file } = await stage.world.pack("1.1.999", "1.1.0");
      await refused(stage, "release", "1.1.999", "--artifact", file);
      await refused(stage, "rollback");
      if (phase === "install") stage.deliverSettings();
    },
  },
  {
    name: "two-applies",
    fault: "another `terraform apply` meanwhile",
    how: "`terraform apply` in the synthesized stack, without this command's lock: the state's lock must refuse it",
    phases: { install: unmoved, shift: unmoved },
    inject: async (stage, _, phase) => {
      const folder = stage.world.path(".bluegreen/local/cdktf.out/stacks/web");
      const ran = await stage.world.terraform(folder, "apply", "-input=false", "-auto-approve", "-no-color");
      if (ran.exitCode === 0 || !ran.stderr.includes("Error acquiring the state lock"))
        throw new Error(`the second apply got exit code ${ran.exitCode}: ${ran.stderr}${ran.stdout}`);
      if (phase === "install") stage.deliverSettings();
    },
  },
  {
    name: "record-deleted",
    fault: "the record is deleted meanwhile",
    how: "release.json is removed; `recover` must restore the same bytes",
    phases: {
      install: { ...unmoved, goesOn: ["recover", "next release"] },
      shift: { ...unmoved, goesOn: ["recover", "next release"] },
    },
    inject: (stage, _, phase) => {
      stage.world.remove("release.json");
      if (phase === "install") stage.deliverSettings();
      return Promise.resolve();
    },
  },
  {
    name: "state-lost",
    fault: "Terraform's state file is lost between two releases",
    how: "terraform.web.tfstate and its backup are removed before the release; then the newest version is restored, as from a backend with versions",
    phases: {
      before: { exit: [3], serves: "old", message: WOULD_TOUCH, goesOn: ["next release"] },
    },
    before: (stage) => {
      copyFileSync(stage.world.path(STATE), stage.world.path("newest.tfstate"));
      loseState(stage);
      return Promise.resolve();
    },
    inject: () => Promise.resolve(),
    repair: (stage) => {
      copyFileSync(stage.world.path("newest.tfstate"), stage.world.path(STATE));
      return Promise.resolve();
    },
  },
  {
    name: "state-lost-for-good",
    fault: "Terraform's state file is lost during a release, without a copy",
    how: "terraform.web.tfstate and its backup are removed during the apply, which succeeds; the next release is refused, so the environment is stopped and started afresh",
    phases: {
      shift: {
        exit: [0],
        serves: "new",
        goesOn: ["refused release", "down", "next release"],
        costs: {
          requests: 4_000,
          gapMs: 60_000,
          because: "`bluegreen down` stops everything; data and record stay",
        },
      },
    },
    inject: (stage) => {
      loseState(stage);
      return Promise.resolve();
    },
  },
  {
    name: "proxy-restarted",
    fault: "the proxy is restarted",
    how: "a second haproxy with the same configuration takes over and lets the first one finish (-sf), as in a package upgrade",
    phases: { shift: unmoved, bake: unmoved },
    inject: async (stage) => {
      const old = stage.pids(/haproxy/);
      const { status, stderr } = spawnSync(
        "haproxy",
        ["-D", "-f", "haproxy.cfg", "-p", "haproxy.pid", "-sf", ...old.map(String)],
        {
          cwd: stage.proxyFolder,
          encoding: "utf8",
          env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin` },
        },
      );
      if (status !== 0) throw new Error(stderr);
      const fresh = readFileSync(`${stage.proxyFolder}/haproxy.pid`, "utf8").trim();
      await until(() => stage.pids(/haproxy/).includes(Number(fresh)), "the second haproxy runs");
    },
  },
];
