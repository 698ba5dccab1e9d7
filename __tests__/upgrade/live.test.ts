/** The upgrade itself: a candidate that 0.1.0 paused goes on under today's version, and no request is lost. */
import { join } from "node:path";
import { RuntimeSocket } from "../../on-server/director/drivers/haproxy/runtime-socket";
import { describeEndToEnd, World } from "../end-to-end/world";

const PROXY = ".bluegreen/local/servers/proxy-1";
const TRAFFIC = /^0x([0-9a-f]+) (;live=\S+) 0$/m;

/** Writes what 0.1.0 wrote: its name of the weight in the director's state, in the map on disk, and in HAProxy itself. */
async function writeAs010(world: World): Promise<void> {
  const asBefore = (text: string): string => text.replaceAll("&weight=", "&share=");
  const state = world.text(`${PROXY}/state.json`);
  const before = state
    .replace(/("(?:intended|before)": \{\s+"live": "\w+",\s+)"weight"/g, '$1"share"')
    .replaceAll('"paused"', '"held"');
  expect(before.match(/"share"/g)).toHaveLength(2);
  world.write(`${PROXY}/state.json`, before);
  world.write(`${PROXY}/traffic.map`, asBefore(world.text(`${PROXY}/traffic.map`)));

  // A socket's path has at most 108 characters, and the project's is long.
  const here = process.cwd();
  process.chdir(world.path(PROXY));
  try {
    const socket = new RuntimeSocket("admin.sock");
    const [, reference, value] = TRAFFIC.exec(await socket.send("show map traffic.map"))!;
    await socket.sendSilent(`add map traffic.map <<\n${asBefore(value!)} 0\n`);
    await socket.sendSilent(`del map traffic.map #0x${reference}`);
    expect(await socket.send("show map traffic.map")).toContain("&share=10&");
  } finally {
    process.chdir(here);
  }
}

describeEndToEnd("a candidate that was paused by 0.1.0", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create({ environment: { measurement: { rate: 20 } } });
    await world.release("1.0.0");
    const steps = ["--strategy", "canary", "--steps", "10,100", "--step-seconds", "0.5"];
    const paused = await world.release("1.1.0", undefined, "--goal", "10", ...steps);
    expect(paused).toMatchObject({ exitCode: 0, outcome: "paused" });
    await writeAs010(world);
  });
  afterAll(() => world.end());

  it("is shown with its weight", async () => {
    const [proxy] = await world.status();
    expect(proxy).toMatchObject({ traffic: { weight: 10 }, state: { result: { outcome: "paused" } } });
  });

  it("is promoted, and every request gets an answer", async () => {
    const promoted = await world.deploy("promote");
    expect(promoted).toMatchObject({ exitCode: 0, outcome: "promoted", requests: { failed: 0 } });
    expect(new Set(await world.serving())).toEqual(new Set(["1.1.0-2"]));
    expect(world.text(join(PROXY, "traffic.map"))).toMatch(/&weight=0&/);
  });
});
