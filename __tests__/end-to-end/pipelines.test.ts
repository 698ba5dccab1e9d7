/**
 * The pipelines that engineers copy from `examples/pipelines`: their shape is what each system reads, and their scripts
 * do what they promise. They are run with bash as they stand, in a git repository with an origin, on the local platform.
 */
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { azure, azureStage, block, github, gitlab, gitlabBlock } from "./pipeline-systems";
import type { Block, Job, System } from "./pipeline-systems";
import { COMMAND, describeEndToEnd, World } from "./world";

const RECORD = "environments/prod.release.json";

interface Ended {
  readonly exitCode: number;
  readonly said: string;
}

/** A project as `bluegreen init` leaves it, in git; and its origin, which others push to. */
class Repository {
  private constructor(
    readonly world: World,
    private readonly origin: string,
    /** First on PATH. */
    private readonly tools: string,
  ) {}

  static async create(): Promise<Repository> {
    const environment = { name: "prod", record: RECORD, receipts: "receipts/prod" };
    const world = await World.create({ environment });
    const [origin, tools] = ["origin", "tools"].map((name) =>
      mkdtempSync(join(tmpdir(), `bluegreen-${name}-`)),
    );
    const repository = new Repository(world, origin!, tools!);
    copyFileSync(world.path("environments/local.json"), world.path("environments/prod.json"));
    world.write("package.json", { name: "shop", private: true });
    // npm's part is to bring the package along, and here it is there already: no registry is asked, and nobody waits.
    repository.tool(
      "npm",
      `#!/bin/sh\n[ "$*" = "ci --ignore-scripts" ] || exit 64\nmkdir -p node_modules/.bin\nln -sf ${COMMAND} node_modules/.bin/bluegreen\n`,
    );
    repository.tool("npx", `#!/bin/sh\nprogram=$1\nshift\nexec node "node_modules/.bin/$program" "$@"\n`);
    world.write(".gitignore", ".bluegreen/\ncdktf.out/\nnode_modules/\npackages/\nenvironments/local.json\n");
    await repository.sh(
      `git init --quiet --bare --initial-branch main "$ORIGIN"
       git init --quiet --initial-branch main
       git config user.name somebody && git config user.email somebody@example.com
       git remote add origin "$ORIGIN"
       git add --all && git commit --quiet --message "A project" && git push --quiet --set-upstream origin main`,
      { ORIGIN: repository.origin },
    );
    return repository;
  }

  private tool(name: string, script: string): void {
    writeFileSync(join(this.tools, name), script, { mode: 0o755 });
  }

  /** Somebody wants a version: what a merged pull request leaves on main. */
  async want(version: string, from: string, sha256?: string): Promise<void> {
    const packed = await this.world.pack(version, from);
    const wanted = { version, artifact: `file://${packed.file}`, sha256: sha256 ?? packed.sha256 };
    await this.push("wanted.json", JSON.stringify(wanted, null, 2), `Wanted: ${version}`);
  }

  /** A commit from somewhere else. */
  async push(file: string, text: string, message: string): Promise<void> {
    await this.sh(
      `clone=$(mktemp -d) && git clone --quiet "$ORIGIN" "$clone" && cd "$clone"
       printf '%s\\n' "$TEXT" >"$FILE" && git add --all
       git -c user.name=else -c user.email=else@example.com commit --quiet --message "$MESSAGE"
       git push --quiet && rm -rf "$clone"`,
      { ORIGIN: this.origin, FILE: file, TEXT: text, MESSAGE: message },
    );
  }

  async log(): Promise<string[]> {
    const { said } = await this.sh(`git -C "$ORIGIN" log --format=%s main`, { ORIGIN: this.origin });
    return said.trim().split("\n");
  }

  async show(file: string): Promise<unknown> {
    const { said } = await this.sh(`git -C "$ORIGIN" show "main:$FILE"`, { ORIGIN: this.origin, FILE: file });
    return JSON.parse(said);
  }

  /** Runs a job's scripts as its system does: a failure skips what is not to run always. */
  async play(
    system: System,
    job: Job,
    { meanwhile }: { meanwhile?: () => Promise<void> } = {},
  ): Promise<Ended> {
    const ended: Ended = { exitCode: 0, said: "" };
    const all = { ...ended };
    for (const { script, uses, always, variables } of job.steps) {
      if (all.exitCode !== 0 && !always) continue;
      if (script === null) {
        if (!/checkout/.test(uses!)) continue;
        // A fresh checkout; the servers' folders stay, as they would be elsewhere.
        await this.sh(
          "git fetch --quiet && git checkout --quiet main && git reset --quiet --hard origin/main",
        );
        await this.sh("rm -rf kept node_modules plan.txt");
        await meanwhile?.();
        continue;
      }
      const own = { ...system.variables(this.origin), ...job.variables, ...variables };
      this.world.write(".bluegreen/step.sh", script);
      const { exitCode, said } = await this.run([...system.shell, ".bluegreen/step.sh"], own);
      all.said += said;
      if (exitCode !== 0 && all.exitCode === 0) all.exitCode = exitCode;
    }
    return all;
  }

  async end(): Promise<string[]> {
    rmSync(this.origin, { recursive: true });
    rmSync(this.tools, { recursive: true });
    return this.world.end();
  }

  private async sh(script: string, variables: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const ended = await this.run(["bash", "-euo", "pipefail", "-c", script], variables);
    if (ended.exitCode !== 0) throw new Error(ended.said);
    return ended;
  }

  private run([program, ...args]: readonly string[], variables: NodeJS.ProcessEnv): Promise<Ended> {
    const { HOME, TMPDIR } = process.env;
    const PATH = `${this.tools}:${process.env["PATH"]}:/usr/sbin`;
    const env = { PATH, HOME, TMPDIR, CHECKPOINT_DISABLE: "1", NO_COLOR: "1", ...variables };
    const child = spawn(program!, args, { cwd: this.world.folder, env, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve({ exitCode: code ?? 1, said }));
    });
  }
}

describeEndToEnd("a pipeline's scripts, on the local platform", () => {
  let repository: Repository;
  beforeAll(async () => {
    repository = await Repository.create();
    await repository.want("1.0.0", "1.0.0");
    // The first release is of whichever system.
    const first = await repository.play(github, github.change("release"));
    expect({ ...first, said: "" }).toEqual({ exitCode: 0, said: "" });
  });
  afterAll(async () => {
    expect(await repository.end()).toEqual([]);
  });

  const sequence = (): number => (repository.world.read(RECORD) as { sequence: number }).sequence;
  const kept = (file: string): string => repository.world.path(`kept/${file}`);

  describe.each([
    { file: github.file, system: github, version: "1.1.0", from: "1.1.0", rollsBack: false },
    { file: azure.file, system: azure, version: "1.1.1", from: "1.1.0", rollsBack: true },
    { file: gitlab.file, system: gitlab, version: "1.4.0", from: "1.4.0", rollsBack: false },
  ])("of $file", ({ system, version, from, rollsBack }) => {
    let live: string[];
    beforeAll(async () => void (live = await repository.world.serving()));

    test("a pull request shows the plan with its proof, and changes nothing", async () => {
      const before = sequence();
      await repository.want(version, from);
      const { exitCode, said } = await repository.play(system, system.plan());
      expect({ exitCode, said }).toEqual({ exitCode: 0, said: expect.stringMatching(/is not touched/) });
      const plan = readFileSync(repository.world.path("plan.txt"), "utf8");
      expect(plan).toMatch(/^proof +\S+ in \w+ is not touched/m);
      expect(sequence()).toBe(before);
      expect(await repository.world.serving()).toEqual(live);
    });

    test("merged, it is released; record and receipt are on main, though somebody pushed meanwhile", async () => {
      const before = sequence();
      const notes = `NOTES-${system.file}.md`;
      const meanwhile = () => repository.push(notes, "words", `Notes while ${version} is released`);
      const { exitCode, said } = await repository.play(system, system.change("release"), { meanwhile });
      expect({ exitCode, said }).toEqual({ exitCode: 0, said: expect.stringMatching(/promoted/) });
      expect(await repository.world.serving()).toEqual([`${version}-${before + 1}`]);
      const [last] = await repository.log();
      expect(last).toMatch(new RegExp(`^Record ${before + 1} of prod: release`));
      expect(await repository.show(RECORD)).toMatchObject({ sequence: before + 1 });
      expect(await repository.show(`receipts/prod/${before + 1}.json`)).toMatchObject({
        outcome: "promoted",
        who: { ci: { name: expect.any(String), run: expect.stringContaining("4711") } },
      });
      expect(await repository.show("wanted.json")).toMatchObject({ version });
      expect(readFileSync(kept(`release-${before + 1}.html`), "utf8")).toMatch(/<html/);
    });

    // What is started by hand takes the same way whatever it is: one is enough.
    if (rollsBack) {
      test("by hand it goes back, and that is recorded, too", async () => {
        const before = sequence();
        const { exitCode, said } = await repository.play(system, system.change("rollback"));
        expect({ exitCode, said }).toEqual({ exitCode: 0, said: expect.stringMatching(/rolledBack/) });
        expect(await repository.world.serving()).toEqual(live);
        const [last] = await repository.log();
        expect(last).toMatch(new RegExp(`^Record ${before + 1} of prod: rollback`));
      });
    }

    test("one that fails is red, and its record, receipt and report are kept all the same", async () => {
      const before = sequence();
      live = await repository.world.serving();
      await repository.want("9.9.9", "1.1.0", "0".repeat(64));
      const { exitCode } = await repository.play(system, system.change("release"));
      expect(exitCode).toBe(4);
      expect(await repository.world.serving()).toEqual(live);
      expect(await repository.show(RECORD)).toMatchObject({ sequence: before + 1 });
      expect(JSON.parse(readFileSync(kept(`${before + 1}.json`), "utf8"))).toMatchObject({ exitCode: 4 });
      expect(existsSync(kept(`release-${before + 1}.html`))).toBe(true);
      expect(existsSync(kept("prod.release.json"))).toBe(true);
    });
  });

  test("an abort by hand clears up what failed; there is nothing to keep of a second one", async () => {
    const before = sequence();
    expect((await repository.play(gitlab, gitlab.change("abort"))).exitCode).toBe(0);
    expect(sequence()).toBe(before + 1);
    const log = await repository.log();
    expect(log[0]).toMatch(new RegExp(`^Record ${before + 1} of prod: abort`));
    for (const system of [github, azure, gitlab]) {
      const { exitCode, said } = await repository.play(system, system.change("abort"));
      expect({ exitCode, said }).toEqual({ exitCode: 0, said: expect.stringMatching(/nothing to abort/) });
      expect(said).toMatch(/the record is unchanged/);
      expect(existsSync(kept("prod.release.json"))).toBe(false);
    }
    expect(await repository.log()).toEqual(log);
  });
});

describe("the shape of", () => {
  const ACTIONS = ["rollback", "abort", "retry", "promote"];
  const onlyKnown = (found: Block, known: string): void => {
    expect(Object.keys(found).filter((key) => !known.split(" ").includes(key))).toEqual([]);
  };

  test("github-actions.yml: identity by OIDC, one release at a time, none cancelled", () => {
    const yaml = github.yaml;
    onlyKnown(yaml, "name on permissions defaults env jobs");
    onlyKnown(block(yaml, "on"), "pull_request push workflow_dispatch");
    expect(block(yaml, "permissions")).toEqual({});
    expect(block(yaml, "on", "workflow_dispatch", "inputs", "action")["options"]).toEqual(ACTIONS);
    for (const job of Object.values(block(yaml, "jobs")) as Block[]) {
      onlyKnown(job, "if runs-on timeout-minutes environment concurrency permissions env steps");
      expect(block(job, "permissions")["id-token"]).toBe("write");
      for (const step of job["steps"] as Block[]) onlyKnown(step, "name uses with run if env");
    }
    expect(block(yaml, "jobs", "plan", "permissions")).toEqual({ contents: "read", "id-token": "write" });
    expect(block(yaml, "jobs", "release", "permissions")).toEqual({
      contents: "write",
      "id-token": "write",
    });
    expect(block(yaml, "jobs", "release")).toMatchObject({
      environment: "prod",
      concurrency: { group: "bluegreen-prod", "cancel-in-progress": false },
      if: expect.stringContaining("refs/heads/main"),
    });
  });

  test("azure-pipelines.yml: identity by a service connection, an exclusive lock, none cancelled", () => {
    const yaml = azure.yaml;
    onlyKnown(yaml, "trigger pr parameters lockBehavior pool variables stages");
    expect(yaml["lockBehavior"]).toBe("sequential");
    expect((yaml["parameters"] as Block[])[0]).toMatchObject({
      name: "action",
      default: "release",
      values: ["release", ...ACTIONS],
    });
    for (const stage of yaml["stages"] as Block[]) onlyKnown(stage, "stage dependsOn condition jobs");
    onlyKnown(azureStage("plan"), "job variables steps");
    const release = azureStage("release");
    onlyKnown(release, "deployment environment timeoutInMinutes cancelTimeoutInMinutes variables strategy");
    expect(release["environment"]).toBe("prod");
    const steps = block(release, "strategy", "runOnce", "deploy")["steps"] as Block[];
    for (const step of [...steps, ...(azureStage("plan")["steps"] as Block[])]) {
      onlyKnown(
        step,
        "bash task checkout publish displayName condition env inputs persistCredentials artifact",
      );
    }
    expect(steps.at(-1)).toMatchObject({ publish: "kept", condition: "always()" });
    // Who plans or releases gets the token that it logs in with; nobody else does.
    for (const job of [azure.plan(), azure.change("release")]) {
      const trusted = job.steps.filter(({ variables }) => "SYSTEM_ACCESSTOKEN" in variables);
      expect(trusted.map(({ script }) => /bluegreen (plan|release)/.test(script ?? ""))).toEqual([true]);
    }
  });

  test("gitlab-ci.yml: identity by an ID token, one release at a time, none cancelled", () => {
    const names = ["plan", "release", ...ACTIONS];
    onlyKnown(gitlab.yaml, `stages default variables .change .by-hand ${names.join(" ")}`);
    for (const name of names) {
      const job = gitlabBlock(name);
      onlyKnown(
        job,
        "stage rules extends needs id_tokens variables before_script script after_script artifacts " +
          "resource_group interruptible timeout environment",
      );
      expect(block(job, "id_tokens", "ARM_OIDC_TOKEN")["aud"]).toBe("api://AzureADTokenExchange");
      expect(block(job, "artifacts")["when"]).toBe("always");
    }
    for (const name of ["release", ...ACTIONS]) {
      expect(gitlabBlock(name)).toMatchObject({ resource_group: "bluegreen-prod", interruptible: false });
    }
    for (const name of ACTIONS) {
      expect((gitlabBlock(name)["rules"] as Block[])[0]).toMatchObject({ when: "manual" });
    }
  });

  test("github-actions.yml: actions are named by commit, with their version beside it", () => {
    const uses = (Object.values(block(github.yaml, "jobs")) as Block[])
      .flatMap((job) => job["steps"] as Block[])
      .flatMap((step) => (step["uses"] === undefined ? [] : [String(step["uses"])]));
    expect(uses.length).toBeGreaterThan(4);
    for (const each of uses) {
      expect(each).toMatch(/^actions\/[a-z-]+@[0-9a-f]{40}$/);
      expect(github.text).toMatch(new RegExp(`uses: ${each} # v\\d+\\.\\d+\\.\\d+\n`));
    }
  });

  test("github-actions.yml: a plan keeps no credentials, and no job with rights reads a cache", () => {
    for (const [name, job] of Object.entries(block(github.yaml, "jobs")) as [string, Block][]) {
      const steps = job["steps"] as Block[];
      const of = (action: string) =>
        steps.filter(({ uses }) => String(uses).startsWith(`actions/${action}@`)).map((step) => step["with"]);
      expect(of("setup-node")).toEqual([{ "node-version": 22, "package-manager-cache": false }]);
      if (name === "plan") expect(of("checkout")).toEqual([{ "persist-credentials": false }]);
    }
  });

  test.each([github, azure, gitlab])("$file: packages run no scripts where there are rights", ({ text }) => {
    const installs = [...text.matchAll(/\bnpm (ci|i|install|add)\b.*/g)].map(([line]) => line);
    expect(installs.length).toBeGreaterThan(0);
    expect(new Set(installs)).toEqual(new Set(["npm ci --ignore-scripts"]));
  });

  test.each([github, azure, gitlab])("$file: secrets are nowhere, plans take no lock", (system) => {
    const text = JSON.stringify(system.yaml);
    expect(text).not.toMatch(/secrets\.|CLIENT_SECRET|password/i);
    expect(system.plan().variables["TF_CLI_ARGS_plan"]).toBe("-lock=false");
    expect(system.change("release").variables).not.toHaveProperty("TF_CLI_ARGS_plan");
  });
});
