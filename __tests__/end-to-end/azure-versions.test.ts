/**
 * Releases that fail, with what the versions of azurerm do about a failed run command: 4.55 keeps it in the state, later ones
 * only with the feature that the stacks set. Where the real provider is there, its version is what Terraform finds.
 */
import { AzureWorld, describeOnAzure } from "./azure-world";

describe.each(["4.55.0", "4.81.0", "5.2.0"])("azurerm %s", (version) => {
  describeOnAzure("a release that fails", () => {
    let world: AzureWorld;
    jest.setTimeout(900_000);

    beforeAll(async () => {
      world = await AzureWorld.create({}, version);
      world.changePlatform({ provider: version });
      const { exitCode, stderr } = await world.apply("base");
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(await world.release("1.0.0", "1.0.0")).toMatchObject({ exitCode: 0, to: "1.0.0-1" });
    });
    afterAll(() => world.end());

    test("is told as rejected, again and again, and leaves nothing that no state knows", async () => {
      for (const sequence of [2, 3, 4]) {
        const action = sequence === 2 ? world.release("1.2.0", "1.2.0") : world.deploy("retry");
        expect(await action).toMatchObject({ sequence, exitCode: 4, outcome: "rejected", to: "1.0.0-1" });
        const { stdout } = await world.bluegreen("status");
        expect(stdout).toContain("users get 1.0.0-1");
        expect(stdout).toMatch(/1\.2\.0-\d was not healthy within/);
        expect(await world.serving()).toBe("1.0.0-1");
      }
      expect(await world.unknownRunCommands()).toEqual([]);
    });

    test("is cancelled by abort, and the next one goes on", async () => {
      expect(await world.deploy("abort")).toMatchObject({ exitCode: 0, to: "1.0.0-1" });
      expect(await world.unknownRunCommands()).toEqual([]);
      expect(await world.release("1.1.0", "1.1.0")).toMatchObject({ exitCode: 0, outcome: "promoted" });
      expect(await world.unknownRunCommands()).toEqual([]);
      expect(await world.plan("web")).toBe("nothing");
      expect(await world.plan("base")).toBe("nothing");
    });
  });
});

describeOnAzure("azurerm 4.81.0 with stacks that do not set the feature", () => {
  let world: AzureWorld;
  jest.setTimeout(900_000);

  beforeAll(async () => {
    // As an earlier version of this package synthesized them.
    world = await AzureWorld.create({}, "4.81.0");
    expect((await world.apply("base")).exitCode).toBe(0);
    expect(await world.release("1.0.0", "1.0.0")).toMatchObject({ exitCode: 0 });
  });
  afterAll(() => world.end());

  test("a rejected release is told as such, and what is left over keeps nobody from going on", async () => {
    expect(await world.release("1.2.0", "1.2.0")).toMatchObject({ exitCode: 4, outcome: "rejected" });
    expect(await world.unknownRunCommands()).toEqual([
      expect.stringMatching(/-web-2\/runCommands\/install-green-/),
    ]);
    expect(await world.deploy("abort")).toMatchObject({ exitCode: 0 });
    expect(await world.release("1.1.0", "1.1.0")).toMatchObject({ exitCode: 0, outcome: "promoted" });
    expect(await world.serving()).toMatch(/^1\.1\.0-/);
  });
});
