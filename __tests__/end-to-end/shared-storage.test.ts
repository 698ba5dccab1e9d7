/** storage.shared on the local platform: uploads are one for all servers and releases, and a release without them is refused. */
import { existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { slotEndpoints } from "../../configuration/naming";
import { parseEnvironment } from "../../configuration/environment-file";
import type { Slot } from "../../release/slot";
import { changes, describeEndToEnd, World } from "./world";

const SHARE = ".bluegreen/local/shared";
const FILE = "environments/local.json";

function addresses(world: World, slot: Slot): string[] {
  return slotEndpoints(parseEnvironment(world.text(FILE), FILE))[slot].map(
    ({ host, port }) => `http://${host}:${port}`,
  );
}

async function put(site: string, name: string): Promise<void> {
  const answer = await fetch(`${site}/api/pictures/${name}`, { method: "PUT", body: `the picture ${name}` });
  expect(answer.status).toBe(201);
}

async function get(site: string, name: string): Promise<string> {
  const answer = await fetch(`${site}/api/pictures/${name}`);
  return answer.status === 200 ? await answer.text() : String(answer.status);
}

describeEndToEnd("shared storage", () => {
  let world: World;
  beforeAll(async () => void (world = await World.create()));
  afterAll(async () => expect(await world.end()).toEqual([]));

  it("takes over what servers have of before, and serves it from each, across a release, a rollback and a heal", async () => {
    await world.release("1.0.0");
    const [one, two] = addresses(world, "blue");
    await put(one!, "ann.png");
    expect(await get(two!, "ann.png")).toBe("404");
    world.changeEnvironment({ storage: { shared: ["pictures"] } });

    // Base creates the share; until then nothing is installed, and users notice nothing.
    const early = await world.release("1.1.0");
    expect(early).toMatchObject({ outcome: "refused", exitCode: 3, from: "1.0.0-1", to: "1.0.0-1" });
    expect(early.reason).toMatch(
      /^the shared storage \/.*\/\.bluegreen\/local\/shared does not exist: make it available on web-[12]/,
    );
    const begun = readdirSync(world.path(".bluegreen/local/servers/proxy-1/commands"));
    expect(begun.filter((name) => name.startsWith("begin-2-"))).toEqual([]);
    expect(await world.cdktf(["deploy", "base", "--auto-approve"])).toMatchObject({ exitCode: 0 });

    expect(await world.release("1.1.0")).toMatchObject({ outcome: "promoted", exitCode: 0 });
    const green = addresses(world, "green");
    for (const site of green) expect(await get(site, "ann.png")).toBe("the picture ann.png");
    await put(green[1]!, "bob.png");
    expect(await get(green[0]!, "bob.png")).toBe("the picture bob.png");

    expect(await world.deploy("rollback")).toMatchObject({ outcome: "rolledBack" });
    await put(one!, "late.png");
    expect(await world.release("1.1.1", "1.1.0")).toMatchObject({ outcome: "promoted" });
    await world.replaceServer("web-1");
    expect(await world.deploy("heal", "web-1")).toMatchObject({ outcome: "healed", exitCode: 0 });
    const [first, second] = addresses(world, world.record.active);
    for (const site of [first!, second!]) {
      for (const name of ["ann.png", "bob.png", "late.png"])
        expect(await get(site, name)).toBe(`the picture ${name}`);
    }
    expect(changes(await world.planByHand())).toEqual({});
  });

  it("is checked by doctor for the running site, and a rollback does without it", async () => {
    const doctor = async () => (await world.run(["doctor"])).stdout.replaceAll(/\s+/g, " ");
    expect(await doctor()).toContain("✔ shared storage .bluegreen/local/shared with pictures");
    await world.release("1.1.2", "1.1.0");
    const mark = world.path(`${SHARE}/.bluegreen/share`);
    renameSync(mark, `${mark}.away`);
    expect(await doctor()).toContain("✖ shared storage the shared storage");
    const refused = await world.release("1.4.0");
    expect(refused).toMatchObject({ outcome: "refused", exitCode: 3 });
    expect(refused.reason).toContain("is not mounted, or was not prepared by the base stack");
    expect(await world.serving()).toEqual([refused.from]);
    expect(await world.deploy("rollback")).toMatchObject({ exitCode: 0 });
    renameSync(`${mark}.away`, mark);
    expect(await world.release("1.4.0")).toMatchObject({ exitCode: 0 });
    expect(existsSync(mark)).toBe(true);
    expect(readdirSync(world.path(`${SHARE}/pictures`)).sort()).toEqual(["ann.png", "bob.png", "late.png"]);
    writeFileSync(world.path(`${SHARE}/pictures/after.png`), "by hand");
    expect(await get(addresses(world, world.record.active)[1]!, "after.png")).toBe("by hand");
  });
});
