/** The synthesized folder plans the same on another machine: here, below another path, with a copy of the state. */
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ReleaseRecord } from "../../release/record";
import { describeEndToEnd, World } from "./world";

const STATE = ".bluegreen/local/terraform.web.tfstate";

describeEndToEnd("the synthesized folder, copied to another machine", () => {
  let world: World;
  let elsewhere: string;
  beforeAll(async () => {
    world = await World.create();
    elsewhere = mkdtempSync(join(realpathSync(tmpdir()), "bluegreen-elsewhere-"));
    expect((await world.release("1.0.0")).outcome).toBe("installed");
  });
  afterAll(async () => {
    rmSync(elsewhere, { recursive: true });
    expect(await world.end()).toEqual([]);
  });

  /** The output and the state, nothing else: no servers, no record, no environment, nothing that init left. */
  function copy(name: string): string {
    const folder = join(elsewhere, name);
    cpSync(world.path("cdktf.out"), join(folder, "cdktf.out"), {
      recursive: true,
      filter: (path) => !/\/\.terraform|\.tfplan$/.test(path),
    });
    for (const stack of ["base", "web"]) {
      const state = `.bluegreen/local/terraform.${stack}.tfstate`;
      cpSync(world.path(state), join(folder, state));
    }
    return folder;
  }

  async function ran(folder: string, ...args: string[]): Promise<{ exitCode: number | null; said: string }> {
    const { exitCode, stdout, stderr } = await world.terraform(folder, ...args);
    return { exitCode, said: stdout + stderr };
  }

  /** A plan as JSON, without the time at which it was made. */
  async function planned(folder: string, ...init: string[]): Promise<Record<string, unknown>> {
    expect(await ran(folder, "init", "-input=false", ...init)).toMatchObject({ exitCode: 0 });
    expect(await ran(folder, "plan", "-input=false", "-out=one.tfplan")).toMatchObject({ exitCode: 0 });
    const { stdout } = await world.terraform(folder, "show", "-json", "one.tfplan");
    const { timestamp, ...plan } = JSON.parse(stdout) as Record<string, unknown>;
    expect(timestamp).toEqual(expect.any(String));
    return plan;
  }

  test("after a release, neither stack plans a change there", async () => {
    expect((await world.synth()).exitCode).toBe(0);
    const there = copy("after");
    for (const stack of ["base", "web"]) {
      const folder = join(there, "cdktf.out/stacks", stack);
      expect(await ran(folder, "init", "-input=false")).toMatchObject({ exitCode: 0 });
      // 0: nothing to change, 2: something to change.
      const plan = await ran(folder, "plan", "-input=false", "-detailed-exitcode");
      expect(plan).toMatchObject({ exitCode: 0 });
    }
  });

  test("the next release's plan is the same there, and so it is with the web stack's folder alone", async () => {
    const { file, sha256 } = await world.pack("1.1.0");
    // The next record as a plan tells it, for who applies it without the command.
    const address = ["--artifact", `file://${file}`, "--sha256", sha256];
    const { stdout } = await world.run(["plan", "release", "1.1.0", ...address, "--json"]);
    const { record } = JSON.parse(stdout) as { record: ReleaseRecord };
    expect(record).toMatchObject({
      sequence: 2,
      active: "green",
      slots: { green: { version: "1.1.0", run: 2 } },
    });
    world.record = record;
    expect((await world.synth()).exitCode).toBe(0);
    const there = copy("next");
    const alone = join(elsewhere, "alone/on its own");
    mkdirSync(join(alone, ".."), { recursive: true });
    cpSync(join(there, "cdktf.out/stacks/web"), alone, { recursive: true });

    const here = await planned(world.path("cdktf.out/stacks/web"));
    const changed = (here["resource_changes"] as { change: { actions: string[] } }[]).filter(
      ({ change }) => change.actions.join() !== "no-op",
    );
    expect(changed.length).toBeGreaterThan(3);
    expect(await planned(join(there, "cdktf.out/stacks/web"))).toEqual(here);
    expect(await planned(alone, `-backend-config=path=${join(there, STATE)}`)).toEqual(here);
  });
});
