/** Artifacts that must not be installed: the candidate is rejected, users keep what they have, nothing leaves its folder. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { ZipFile } from "yazl";
import { describeEndToEnd, oneLine, World } from "./world";

describeEndToEnd("an artifact that must not be installed", () => {
  let world: World;
  let server: Server;
  let origin: string;
  let whole: Buffer;

  beforeAll(async () => {
    world = await World.create({ topology: "split" });
    expect((await world.release("1.0.0")).outcome).toBe("installed");
    whole = readFileSync((await world.pack("1.1.0")).file);
    server = createServer((request, response) => {
      if (request.url === "/whole.zip") return response.end(whole);
      response.setHeader("content-length", whole.length);
      if (request.url === "/empty.zip") return response.writeHead(200, { "content-length": 0 }).end();
      if (request.url !== "/truncated.zip") return response.writeHead(404, { "content-length": 0 }).end();
      return response.write(whole.subarray(0, whole.length / 2), () => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect(await world.end()).toEqual([]);
  });
  afterEach(async () => {
    expect(await world.serving()).toEqual(["1.0.0-1"]);
    expect(await world.status()).toEqual([expect.objectContaining({ serving: ["blue"] })]);
  });

  async function rejects(artifact: string, sha256: string, says: RegExp): Promise<void> {
    const { sequence } = world.record;
    const ran = await world.run(["release", "1.1.0", "--artifact", artifact, "--sha256", sha256, "--json"]);
    expect(JSON.parse(ran.stdout || JSON.stringify(ran.stderr))).toMatchObject({
      sequence: sequence + 1,
      exitCode: 4,
      outcome: "rejected",
      from: "1.0.0-1",
      to: "1.0.0-1",
      reason: expect.stringMatching(says),
    });
    // What should run is what was asked for, until somebody says otherwise: `retry`, `abort`, or the next release.
    expect(world.record).toMatchObject({ sequence: sequence + 1, active: "green", goal: "live" });
  }

  async function goOn(): Promise<void> {
    const { outcome, to } = await world.release("1.1.0");
    expect({ outcome, to }).toEqual({ outcome: "promoted", to: `1.1.0-${world.record.sequence}` });
    expect((await world.deploy("rollback")).to).toBe("1.0.0-1");
    expect(world.deposed()).toEqual([]);
  }

  it.each([
    ["that nobody serves", "http://127.0.0.1:9/a.zip", /download failed: .*127\.0\.0\.1/],
    ["that is not there", "/nowhere.zip", /404/],
    ["that ends half way", "/truncated.zip", /download failed: .*/],
    ["that is empty", "/empty.zip", /sha256/],
  ])("from an address %s", async (_, address, says) => {
    await rejects(new URL(address, origin).href, digest(whole), says);
  });

  it("whose digest is another one", async () => {
    await rejects(
      `${origin}/whole.zip`,
      "0".repeat(64),
      /the artifact's sha256 is .*, the record says 000000000000/,
    );
  });

  it("is forgotten after five failures and an abort: the next release goes through", async () => {
    expect((await world.deploy("abort")).to).toBe("1.0.0-1");
    expect(world.record.slots.green).toBeNull();
    expect(world.deposed()).toEqual([]);
    await goOn();
  });

  it.each([
    [
      "a name that leaves the folder",
      () => zipOf("xx/xx/escaped.txt", "../../escaped.txt"),
      /leaves the folder/,
    ],
    [
      "an absolute name",
      () => zipOf("xtmp/bluegreen-e2e-escaped", "/tmp/bluegreen-e2e-escaped"),
      /absolute name/,
    ],
    ["a link out of the folder", () => zipOf("link", "link", { mode: 0o120777 }), /neither file nor folder/],
  ])("with %s", async (_, make, says) => {
    const zip = await make();
    writeFileSync(world.path("evil.zip"), zip);
    await rejects("evil.zip", digest(zip), says);
    expect(existsSync("/tmp/bluegreen-e2e-escaped")).toBe(false);
    expect(existsSync(world.path(".bluegreen/local/servers/web-2/escaped.txt"))).toBe(false);
  });

  it("that is no archive at all is refused before anything happens", async () => {
    const record = world.text("release.json");
    writeFileSync(world.path("page.zip"), "<!doctype html>Not found");
    const ran = await world.run(["release", "1.1.0", "--artifact", "page.zip"]);
    expect({ exitCode: ran.exitCode, said: oneLine(ran) }).toEqual({
      exitCode: 2,
      said: expect.stringMatching(/neither a zip nor a \.tar\.gz/),
    });
    expect(world.text("release.json")).toBe(record);
  });

  it("says on stderr, in one line, why a release was rejected", async () => {
    const ran = await world.run(["release", "1.1.0", "--artifact", "evil.zip"]);
    expect(ran.exitCode).toBe(4);
    const lines = `${ran.stderr}`.split("\n").filter((line) => line.includes("neither file nor folder"));
    expect(lines).toHaveLength(1);
  });

  it("is refused for good after eight failures, until an abort has cleared what they left behind", async () => {
    for (let failures = 4; failures < 8; failures++) {
      const ran = await world.run(["release", "1.1.0", "--artifact", "evil.zip"]);
      expect(ran.exitCode).toBe(4);
    }
    const record = world.text("release.json");
    const ran = await (await world.startRelease("1.1.0")).ended;
    expect({ exitCode: ran.exitCode, said: oneLine(ran) }).toEqual({
      exitCode: 3,
      said: expect.stringMatching(
        /8 failed applies left deposed objects of .*: `bluegreen abort` cancels the candidate/,
      ),
    });
    expect(world.text("release.json")).toBe(record);
    const aborted = await world.run(["abort", "--json"]);
    expect({ exitCode: aborted.exitCode, stderr: aborted.stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(world.deposed()).toEqual([]);
    await goOn();
  });
});

function digest(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** The packer refuses bad names, as it should: so a good one of the same length is overwritten. */
async function zipOf(name: string, evil: string, options: { mode?: number } = {}): Promise<Buffer> {
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from("/etc"), name, { compress: false, ...options });
  zip.addBuffer(Buffer.from("process.exit(1);\n"), "server.js", { compress: false });
  zip.end();
  const bytes = await buffer(zip.outputStream);
  expect(evil).toHaveLength(name.length);
  for (let at = bytes.indexOf(name); name !== evil && at !== -1; at = bytes.indexOf(name))
    bytes.write(evil, at);
  return bytes;
}
