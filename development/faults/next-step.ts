/** The next steps after a fault: each is carried out, and must lead to a project that can release. */
import type { Ran } from "../testbed/processes";
import type { Outcome } from "./results";
import type { ReleaseUnderWay } from "./release-under-way";
import type { NextStep, ProxyStep } from "./row";
import { messageOf } from "./output";
import type { Stage } from "./stage";

export type Step = Outcome["wayOn"][number];

interface Carried {
  readonly steps: readonly Step[];
  readonly broken: readonly string[];
}

export async function carryOut(stage: Stage, next: NextStep, underWay: ReleaseUnderWay): Promise<Carried> {
  if (typeof next === "object") return ofTwoProxies(stage, next);
  switch (next) {
    case "retry":
      return promoted(stage, "retry", await stage.run("retry"), underWay.version);
    case "abort": {
      const before = stage.stable();
      return promoted(stage, "abort", await stage.run("abort"), before.slice(0, before.lastIndexOf("-")));
    }
    case "next release": {
      const version = stage.nextVersion();
      const { file } = await stage.world.pack(version, "1.1.0");
      return promoted(
        stage,
        "release (the next)",
        await stage.run("release", version, "--artifact", file, ...(await migrations(stage))),
        version,
      );
    }
    case "refused release": {
      const version = stage.nextVersion();
      const { file } = await stage.world.pack(version, "1.1.0");
      const ran = await stage.run("release", version, "--artifact", file);
      const step = { command: "release (refused)", exit: ran.exitCode ?? 1, outcome: messageOf(ran) };
      return {
        steps: [step],
        broken: ran.exitCode === 3 ? [] : [`the release was not refused: ${messageOf(ran)}`],
      };
    }
    case "down":
      return carried("down", await stage.world.run(["down"]));
    case "heal":
      return carried("heal web-1", await stage.run("heal", "web-1"));
    case "rollback":
      return carried("rollback", await stage.run("rollback"));
    case "recover":
      return carried("recover --yes", await stage.run("recover", "--yes"));
  }
}

async function ofTwoProxies(stage: Stage, { command, exit }: ProxyStep): Promise<Carried> {
  const ran = await stage.run(...command);
  const { steps } = carried(command.join(" "), ran);
  const is = ran.exitCode ?? 1;
  return {
    steps,
    broken:
      is === exit
        ? []
        : [`\`${command.join(" ")}\` ended with exit code ${is}, not ${exit}: ${messageOf(ran)}`],
  };
}

/** Exactly the scripts that are applied: a bundle that lacks one is refused. */
function migrations(stage: Stage): string[] {
  return stage.kind === "database" ? ["--migrations", stage.world.path("scripts")] : [];
}

async function promoted(stage: Stage, command: string, ran: Ran, version: string): Promise<Carried> {
  const done = carried(command, ran);
  const serving = await stage.world.serving(0, 30);
  const all = serving.length === 1 && serving[0]!.startsWith(`${version}-`);
  return all
    ? done
    : {
        ...done,
        broken: [...done.broken, `after \`${command}\` users get ${serving.join(", ")}, not ${version}`],
      };
}

function carried(command: string, ran: Ran): Carried {
  const exit = ran.exitCode ?? 1;
  const outcome = ran.stdout.startsWith("{") ? (JSON.parse(ran.stdout) as { outcome?: string }).outcome : "";
  const step = { command, exit, outcome: outcome ?? "" };
  return exit === 0
    ? { steps: [step], broken: [] }
    : { steps: [step], broken: [`\`${command}\` ended with exit code ${exit}: ${messageOf(ran)}`] };
}
