/**
 * What Terraform's state knows on Azure may be less than what users get: steps are deleted by hand, an apply is killed, or
 * fails half way. Each time our own messages lead to a good release.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { parseFile } from "../../release/validation";
import { AzureWorld, describeOnAzure } from "./azure-world";
import { until } from "./world";

const NOT_KNOWN = /what users get is not known here, .*`bluegreen retry`/;
const RECOVER = /`bluegreen recover` writes a record that matches/;

const Unknown = z.object({ unknown: z.string() });

describeOnAzure("nothing on Azure is a dead end", () => {
  let world: AzureWorld;
  jest.setTimeout(900_000);

  beforeAll(async () => {
    world = await AzureWorld.create();
    expect((await world.apply("base")).exitCode).toBe(0);
    for (const version of ["1.0.0", "1.1.0"]) await expectPromoted(version);
  });
  afterAll(() => world.end());

  async function expectPromoted(version: string): Promise<void> {
    expect(await world.release(version, version)).toMatchObject({ exitCode: 0 });
    expect(await world.serving()).toMatch(new RegExp(`^${version}-`));
  }

  test("begin and switch were deleted by hand: nobody says that users get nothing, and retry asks the proxy", async () => {
    await world.deleteRunCommands("proxy-1", /^(begin|switch)-/);
    const status = await world.bluegreen("status");
    expect(status.stdout).toMatch(NOT_KNOWN);
    expect(status.stdout).not.toContain("nothing yet");
    const { unknown } = parseFile(Unknown, (await world.bluegreen("status", "--json")).stdout, "status");
    expect(unknown).toMatch(NOT_KNOWN);

    const before = world.record;
    for (const command of [["promote"], ["abort"], ["heal", "web-2"]]) {
      const { exitCode, stderr } = await world.bluegreen(...command);
      expect({ command, exitCode, stderr }).toMatchObject({
        exitCode: 3,
        stderr: expect.stringMatching(NOT_KNOWN),
      });
    }
    await expect(world.release("1.0.0", "1.0.0")).rejects.toThrow(NOT_KNOWN);
    expect(world.record).toEqual(before);

    expect(await world.deploy("retry")).toMatchObject({ exitCode: 0, to: "1.1.0-2" });
    await expectPromoted("1.0.0");
  });

  test("a record that was planned without knowing what users get is replaced by one that matches", async () => {
    const good = world.record;
    // As a version before this one planned it: the release goes into the slot that users have.
    const { active, slots } = good;
    const next = { ...slots[active]!, run: good.sequence + 1 };
    const wrong = {
      ...good,
      sequence: good.sequence + 1,
      previous: null,
      slots: { blue: null, green: null, [active]: next },
    };
    writeFileSync(join(world.folder, "release.json"), JSON.stringify(wrong));
    const serving = await world.serving();
    expect((await world.apply("web")).exitCode).toBe(1);
    expect(await world.serving()).toBe(serving);

    for (const command of ["retry", "abort"]) {
      const { exitCode, stderr } = await world.bluegreen(command);
      expect({ command, exitCode, stderr }).toMatchObject({
        exitCode: 3,
        stderr: expect.stringMatching(RECOVER),
      });
    }
    expect((await world.bluegreen("recover", "--yes")).exitCode).toBe(0);
    expect(world.record).toMatchObject({ active, slots: { [active]: slots[active] } });
    await expectPromoted("1.1.0");
  });

  test("the live install was deleted by hand: heal makes it again, and users keep their release", async () => {
    const { active } = world.record;
    const server = active === "blue" ? "web-1" : "web-2";
    await world.deleteRunCommands(server, /^(install|heal)-/);
    const serving = await world.serving();
    expect(await world.deploy("heal", server)).toMatchObject({ exitCode: 0, outcome: "healed" });
    expect(await world.serving()).toBe(serving);
    await expectPromoted("1.0.0");
  });

  test("an abort that Azure refused half way is ended by another abort", async () => {
    expect(await world.release("1.1.0", "1.1.0", "stage")).toMatchObject({ exitCode: 0 });
    world.refuseOnce("PUT", "runCommands/empty-");
    expect(await world.deploy("abort")).toMatchObject({ exitCode: 1 });
    expect(await world.deploy("abort")).toMatchObject({ exitCode: 0 });
    expect((await world.bluegreen("abort")).stdout).toContain("nothing to abort");
    await expectPromoted("1.1.0");
  });

  test("a release is killed in its switch, and Azure goes on: abort is refused, and says what leads on", async () => {
    const serving = await world.serving();
    const kill = await world.releasing("1.0.0", "1.0.0");
    const next = world.record.sequence + 1;
    await until(
      () => world.requests().some(({ path }) => path.includes(`/switch-${next}-`)),
      "the switch runs",
    );
    kill();
    await until(async () => (await world.serving()) !== serving, "users have the new release all the same");

    const { exitCode, stderr } = await world.bluegreen("abort");
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(RECOVER);
    expect(await world.serving()).toMatch(/^1\.0\.0-/);
    expect((await world.bluegreen("recover", "--yes")).exitCode).toBe(0);
    await expectPromoted("1.1.0");
  });
});
