/** What a release can be given: a folder, an address without its digest; and what is kept of it. */
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { unzipSync } from "fflate";
import { describeEndToEnd, World } from "./world";

const servers: Server[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.close()));

/** @returns where a server answers until the test ends, however that ends. */
async function served(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describeEndToEnd("an artifact", () => {
  let world: World;
  beforeAll(async () => (world = await World.create({ topology: "split" })));
  afterAll(async () => expect(await world.end()).toEqual([]));

  async function unpack(version: string, folder: string): Promise<void> {
    const { file } = await world.pack(version);
    for (const [name, content] of Object.entries(unzipSync(readFileSync(file)))) {
      mkdirSync(dirname(world.path(`${folder}/${name}`)), { recursive: true });
      writeFileSync(world.path(`${folder}/${name}`), content);
    }
  }

  const kept = (): string[] => readdirSync(world.path(".bluegreen/local/artifacts")).sort();

  it("that is a folder is packed, installed and live", async () => {
    await unpack("1.0.0", "build");
    const { outcome, to } = await world.deploy("release", "1.0.0", "--artifact", "build");
    expect({ outcome, to }).toEqual({ outcome: "installed", to: "1.0.0-1" });
    expect(await world.serving()).toEqual(["1.0.0-1"]);
  });

  it("that is an address is fetched for its digest, and servers fetch it from there", async () => {
    const content = readFileSync((await world.pack("1.1.0")).file);
    const asked: string[] = [];
    const origin = await served(({ headers }, response) => {
      asked.push(String(headers["user-agent"]));
      response.end(content);
    });
    const { outcome, to } = await world.deploy("release", "1.1.0", "--artifact", `${origin}/app.zip`);
    expect({ outcome, to }).toEqual({ outcome: "promoted", to: "1.1.0-2" });
    expect(await world.serving()).toEqual(["1.1.0-2"]);
    expect(asked[0]).toBe("cdktf-bluegreen");
    expect(asked.length).toBeGreaterThan(1);
    expect(kept().filter((name) => name.startsWith("socialgoal-"))).toEqual([
      expect.stringMatching(/^socialgoal-1\.0\.0-/),
    ]);
  });

  it("that a release needs survives a prune of all days, and a rollback finds it", async () => {
    await world.run(["publish", "0.9.0", "--artifact", "build"]);
    const { removed } = (await pruned()) as { removed: string[] };
    expect(removed).toEqual([]); // the same content as 1.0.0: the same digest
    writeFileSync(world.path("build/more.txt"), "");
    await world.run(["publish", "0.9.0", "--artifact", "build"]);
    expect((await pruned()).removed).toEqual([expect.stringMatching(/socialgoal-0\.9\.0-/)]);
    expect((await world.deploy("rollback")).to).toBe("1.0.0-1");
  });

  it("of an old release goes after keepReleases newer ones; a rollback still finds its own", async () => {
    world.changeEnvironment({ keepReleases: 2 });
    for (const version of ["2.0.0", "2.1.0", "2.2.0", "2.3.0"]) {
      expect(await world.release(version, "1.0.0")).toMatchObject({ exitCode: 0 });
    }
    const names = kept().filter((name) => name.startsWith("socialgoal-"));
    expect(names).toEqual([/-2\.2\.0-/, /-2\.3\.0-/].map((name) => expect.stringMatching(name)));
    expect(await world.deploy("rollback")).toMatchObject({
      exitCode: 0,
      to: expect.stringMatching(/^2\.2\.0-/),
    });
  });

  async function pruned(): Promise<{ removed: string[] }> {
    const { stdout } = await world.run(["publish", "--prune", "--keep-days", "0", "--yes", "--json"]);
    return JSON.parse(stdout) as { removed: string[] };
  }
});

describeEndToEnd("an artifact that takes longer to fetch than instances take to be healthy", () => {
  const DEADLINE_SECONDS = 4;
  let world: World;
  beforeAll(async () => {
    const verification = { path: "/health", intervalSeconds: 0.05, deadlineSeconds: DEADLINE_SECONDS };
    world = await World.create({ environment: { verification } });
  });
  afterAll(async () => expect(await world.end()).toEqual([]));

  it("holds up the other slot of its server, and fails nothing", async () => {
    let slow = false;
    const files = new Map<string, string>();
    const origin = await served(async ({ url }, response) => {
      if (slow) await sleep(1000 * (DEADLINE_SECONDS + 2));
      response.end(readFileSync(files.get(url!)!));
    });
    for (const version of ["1.0.0", "1.1.0"]) {
      files.set(`/${version}.zip`, (await world.pack(version)).file);
      await world.deploy("release", version, "--artifact", `${origin}/${version}.zip`);
    }
    await world.replaceServer("web-1");
    slow = true;
    expect(await world.deploy("heal", "web-1")).toMatchObject({
      outcome: "healed",
      reason: "web-1 has 1.1.0-2 again",
    });
  });
});
