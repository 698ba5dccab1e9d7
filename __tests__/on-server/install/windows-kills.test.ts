/**
 * The Windows scripts, killed at side effects: what users see in the other slot stays, its shared folders too, and the next
 * run ends well. WINDOWS_KILL_EVERY=1 kills at every side effect instead of every tenth one.
 */
import * as fs from "node:fs";
import {
  describeOnWindows,
  eachTestHasAWindowsServer,
  expectInstalled,
  type Overrides,
  type Published,
} from "./windows-server";

const EVERY = Number(process.env["WINDOWS_KILL_EVERY"] ?? 10);
const SHARED = ["App_Data", "Empty"];

function some(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1).filter((point) => (point - 1) % EVERY === 0);
}

describeOnWindows("a script that is killed on Windows", () => {
  const server = eachTestHasAWindowsServer();
  let sequence: number;
  let good: Published;

  /** Blue is live, with a file in one of its shared folders; the other one is empty. */
  async function liveInBlue(): Promise<void> {
    sequence = 1;
    good = server().publish({ "App_Data/seed.txt": "the user's file" });
    expectInstalled(await install("blue", good), "installed");
  }

  function install(
    slot: "blue" | "green",
    release: Published | null,
    overrides: Overrides = {},
    killAt?: number,
  ) {
    const shared = { IIS_SETTINGS_BASE64: server().settings({ sharedFolders: SHARED }) };
    const parameters = server().parameters(slot, sequence++, release, { ...shared, ...overrides });
    return server().install(parameters, { killAt });
  }

  /** What users of blue have. A folder that was removed and made again is another one. */
  async function live(): Promise<unknown> {
    return {
      release: await server().served("blue"),
      page: await server().get("blue", "/page.txt"),
      shared: await server().get("blue", "/App_Data/seed.txt"),
      folders: SHARED.map((name) => {
        const folder = server().path("data", name);
        return [name, fs.existsSync(folder) && fs.statSync(folder).ino];
      }),
    };
  }

  test("an install in the other slot", async () => {
    await liveInBlue();
    const before = await live();
    const { effects } = await install("green", good);
    expect(await live()).toEqual(before);
    for (const point of some(effects.length)) {
      expect(await install("green", good, {}, point)).toMatchObject({ code: null });
      expect({ point, ...((await live()) as object) }).toEqual({ point, ...(before as object) });
      expectInstalled(await install("green", good), "installed");
    }
  });

  test("what both slots share is not changed for one of them: each kill from the firewall to the slot's stop", async () => {
    await liveInBlue();
    const before = await live();
    const { effects } = await install("green", good);
    const names = effects.map((name, index) => ({ name, point: index + 1 }));
    const from = names.find(({ name }) => name.includes("NetFirewallRule"))!.point;
    const to = names.find(({ name }) => name.startsWith("commit the configuration"))!.point;
    for (let point = from; point <= to; point++) {
      expect(await install("green", good, {}, point)).toMatchObject({ code: null });
      expect({ point, ...((await live()) as object) }).toEqual({ point, ...(before as object) });
    }
    expectInstalled(await install("green", good), "installed");
  });

  test("an install in place, and an emptying", async () => {
    await liveInBlue();
    const before = await live();
    const inPlace = { MODE: "inPlace" };
    const { effects } = await install("green", good, inPlace);
    for (const point of some(effects.length).slice(-2))
      expect(await install("green", good, inPlace, point)).toMatchObject({ code: null });
    expect(await live()).toEqual(before);
    expectInstalled(await install("green", good, inPlace), "installed");
    const emptying = await install("green", null);
    expectInstalled(emptying, "emptied");
    expectInstalled(await install("green", good), "installed");
    for (const point of some(emptying.effects.length)) {
      expect(await install("green", null, {}, point)).toMatchObject({ code: null });
      expect(await live()).toEqual(before);
    }
    expectInstalled(await install("green", null), "emptied");
    expect(await server().served("green")).toBe("");
  });
});

describeOnWindows("a set-up that is killed on Windows", () => {
  const server = eachTestHasAWindowsServer("fresh");

  test("is completed by the next one", async () => {
    const { effects } = await server().setUp();
    for (const point of some(effects.length)) {
      server().reinstallWindows();
      expect(await server().setUp({ killAt: point })).toMatchObject({ code: null });
      expect(await server().setUp()).toMatchObject({ code: 0 });
      expect(server().machine.state("iis")["sites"]).toEqual([]);
      expect(server().machine.state("firewall")).toMatchObject({
        "IIS-WebServerRole-HTTP-In-TCP": { Enabled: "False" },
      });
      expect(server().machine.state("access")[server().folder]).toMatch(/^D:P/);
    }
  });
});
