/** The proof that a release leaves the live slot alone, read from the very plan that Terraform applied. */
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Slot } from "../../release/slot";
import { changes, copyOfLibrary, describeEndToEnd, World } from "./world";
import type { SavedPlan } from "./world";

interface Play {
  readonly release: string;
  readonly from?: string;
  readonly options?: readonly string[];
  readonly outcome: string;
}

/** Install steps of a slot: what Terraform knew of them before, and what it would do to them. */
function installs(
  plan: SavedPlan,
  slot: Slot,
): Record<string, { known: boolean; actions: readonly string[] }> {
  const before = new Set(plan.prior_state?.values?.root_module.resources?.map(({ address }) => address));
  return Object.fromEntries(
    (plan.resource_changes ?? [])
      .filter(({ address }) => address.startsWith(`terraform_data.install-${slot}-`))
      .map(({ address, change }) => [address, { known: before.has(address), actions: change.actions }]),
  );
}

async function liveSlot(world: World): Promise<Slot> {
  const [proxy] = await world.status();
  return proxy!.traffic.live!;
}

const untouched = { known: true, actions: ["no-op"] };

async function playAndProve(world: World, play: Play, servers: readonly string[]): Promise<void> {
  const live = await liveSlot(world);
  const { outcome, reason } = await world.release(play.release, play.from, ...(play.options ?? []));
  expect({ outcome, reason }).toEqual({ outcome: play.outcome, reason: expect.any(String) });
  expect(installs(await world.savedPlan(), live)).toEqual(
    Object.fromEntries(servers.map((server) => [`terraform_data.install-${live}-${server}`, untouched])),
  );
}

describeEndToEnd("the plan of a release, side by side", () => {
  let world: World;
  beforeAll(async () => void (world = await World.create()));
  afterAll(async () => expect(await world.end()).toEqual([]));

  it("creates everything for the first release, and knew nothing before", async () => {
    expect((await world.release("1.0.0")).outcome).toBe("installed");
    const plan = await world.savedPlan();
    expect(plan.prior_state?.values).toBeUndefined();
    expect(changes(plan)).toEqual({
      "terraform_data.begin-proxy-1": "create",
      "terraform_data.install-blue-web-1": "create",
      "terraform_data.install-blue-web-2": "create",
      "terraform_data.install-green-web-1": "create",
      "terraform_data.install-green-web-2": "create",
      "terraform_data.switch-proxy-1": "create",
    });
  });

  it.each<Play>([
    { release: "1.1.0", outcome: "promoted" },
    { release: "1.1.1", from: "1.1.0", outcome: "promoted" },
    { release: "1.4.0", outcome: "promoted" },
    { release: "1.4.1", from: "1.4.0", options: ["--goal", "staged"], outcome: "staged" },
  ])("leaves the live slot alone: $release is $outcome", async (play) => {
    await playAndProve(world, play, ["web-1", "web-2"]);
  });

  it("leaves the live slot alone when a staged release is promoted, and installs nothing", async () => {
    const live = await liveSlot(world);
    expect((await world.deploy("promote")).outcome).toBe("promoted");
    const plan = await world.savedPlan();
    expect(Object.values(installs(plan, live))).toEqual([untouched, untouched]);
    expect(changes(plan)).toEqual({
      "terraform_data.begin-proxy-1": "create+delete",
      "terraform_data.switch-proxy-1": "create+delete",
    });
  });

  it("rolls back at once without installing anything", async () => {
    expect((await world.deploy("rollback")).outcome).toBe("rolledBack");
    expect(changes(await world.savedPlan())).toEqual({
      "terraform_data.begin-proxy-1": "create+delete",
      "terraform_data.switch-proxy-1": "create+delete",
    });
  });

  it("replaces the live slot's installs and no others for a recreate, as it says", async () => {
    const live = await liveSlot(world);
    const { outcome } = await world.release(
      "1.4.2",
      "1.4.0",
      "--strategy",
      "recreate",
      "--bake-seconds",
      "0",
    );
    expect(outcome).toBe("recreated");
    const plan = await world.savedPlan();
    const idle = live === "blue" ? "green" : "blue";
    expect(Object.values(installs(plan, idle))).toEqual([untouched, untouched]);
    expect(changes(plan)).toEqual({
      "terraform_data.begin-proxy-1": "create+delete",
      [`terraform_data.install-${live}-web-1`]: "create+delete",
      [`terraform_data.install-${live}-web-2`]: "create+delete",
      "terraform_data.switch-proxy-1": "create+delete",
    });
    expect(await world.serving()).toEqual([`1.4.2-${world.record.sequence}`]);
  });

  it("leaves the live slot alone again after a recreate", async () => {
    await playAndProve(world, { release: "1.4.3", from: "1.4.0", outcome: "promoted" }, ["web-1", "web-2"]);
  });

  describe("is empty", () => {
    it.each(["base", "web"])("when %s is synthesized again", async (stack) => {
      expect(changes(await world.planByHand(stack))).toEqual({});
    });

    it.each(["base", "web"])("when only the schedule changed in the environment: %s", async (stack) => {
      const schedule = {
        strategy: "canary",
        steps: [1, 100],
        stepSeconds: 7,
        bakeSeconds: 9,
        drainSeconds: 3,
      };
      world.changeEnvironment({ schedule });
      expect(changes(await world.planByHand(stack))).toEqual({});
    });

    it("when only the library's scripts and bundles changed: web", async () => {
      const folder = mkdtempSync(join(tmpdir(), "bluegreen-e2e-lib-"));
      try {
        const newer = copyOfLibrary(folder);
        for (const [program, comment] of [
          ["install/install-release.sh", "# newer\n"],
          ["director/run-director.sh", "# newer\n"],
          ["local/run-command.sh", "# newer\n"],
          ["director.js", "// newer\n"],
        ] as const) {
          appendFileSync(join(folder, "lib/on-server", program), comment);
        }
        expect(changes(await world.planByHand("web", newer))).toEqual({});
        // The proxies shall get the newer director: base replaces that file and nothing else.
        expect(Object.entries(changes(await world.planByHand("base", newer)))).toEqual([
          [expect.stringMatching(/^terraform_data\.proxy-1_director_/), "delete+create"],
        ]);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
});

describeEndToEnd("the plan of a release, split", () => {
  let world: World;
  beforeAll(async () => void (world = await World.create({ topology: "split" })));
  afterAll(async () => expect(await world.end()).toEqual([]));

  it("leaves the live half alone in a series of releases, converging ones among them", async () => {
    expect((await world.release("1.0.0")).outcome).toBe("installed");
    const plays: readonly (Play & { readonly server: string })[] = [
      { release: "1.1.0", outcome: "promoted", server: "web-1" },
      { release: "1.1.1", from: "1.1.0", options: ["--converge"], outcome: "promoted", server: "web-2" },
      { release: "1.4.0", options: ["--converge"], outcome: "promoted", server: "web-1" },
      { release: "1.4.1", from: "1.4.0", options: ["--converge"], outcome: "promoted", server: "web-2" },
    ];
    for (const play of plays) {
      await playAndProve(world, play, [play.server]);
      expect(await world.serving()).toEqual([`${play.release}-${world.record.sequence}`]);
    }
    const [proxy] = await world.status();
    expect([...proxy!.serving].sort()).toEqual(["blue", "green"]);
    expect(changes(await world.planByHand())).toEqual({});
  });

  it("goes back by a release of what was there before, where both halves serve the new one", async () => {
    const { outcome, to } = await world.deploy("rollback");
    expect({ outcome, to }).toEqual({ outcome: "rolledBack", to: `1.4.0-${world.record.sequence}` });
    expect(await world.serving()).toEqual([`1.4.0-${world.record.sequence}`]);
  });
});
