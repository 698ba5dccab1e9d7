/** The record is lost, cut off, or from yesterday: `bluegreen recover` brings it back, and the next release goes on. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import type { ReleaseRecord } from "../../release/record";
import { describeEndToEnd, oneLine, World } from "./world";

interface Recovered {
  readonly outcome: string;
  readonly record: ReleaseRecord | null;
  readonly proof: string | null;
  readonly unknown: readonly string[];
  readonly kept: string | null;
  readonly exitCode: number;
}

describeEndToEnd("a lost record", () => {
  let world: World;
  /** The record after each sequence. */
  const history = new Map<number, string>();

  const remember = (): void => {
    history.set(world.record.sequence, world.text("release.json"));
  };

  beforeAll(async () => {
    world = await World.create();
    for (const version of ["1.0.0", "1.1.0"]) {
      expect((await world.release(version)).exitCode).toBe(0);
      remember();
    }
  });
  afterAll(async () => expect(await world.end()).toEqual([]));

  const recover = async (): Promise<Recovered> => {
    const ran = await world.run(["recover", "--yes", "--json"]);
    if (ran.stdout === "") throw new Error(ran.stderr);
    return JSON.parse(ran.stdout) as Recovered;
  };
  const lost = (): string[] =>
    readdirSync(world.folder).filter((name) => name.startsWith("release.json.lost-"));

  it("that is not lost is left alone", async () => {
    const before = world.text("release.json");
    expect(await recover()).toMatchObject({ outcome: "nothing-to-recover", record: null, exitCode: 0 });
    expect(world.text("release.json")).toBe(before);
  });

  it("is written by nobody who was not asked", async () => {
    rmSync(world.path("release.json"));
    const ran = await world.run(["recover"]);
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toMatch(/recover would write release\.json: check what it found, then add --yes/);
    expect(existsSync(world.path("release.json"))).toBe(false);
  });

  it("does not let a release through, which would install under users", async () => {
    const { file } = await world.pack("1.4.0");
    const ran = await world.run(["release", "1.4.0", "--artifact", file]);
    expect({ exitCode: ran.exitCode, said: oneLine(ran) }).toEqual({
      exitCode: 3,
      said: expect.stringMatching(/does not match what users get/),
    });
    expect(await world.serving()).toEqual(["1.1.0-2"]);
  });

  it("comes back as it was, and the next release succeeds", async () => {
    expect(await recover()).toMatchObject({ outcome: "recovered", proof: "exact", kept: null, exitCode: 0 });
    expect(world.record).toEqual(JSON.parse(history.get(2)!));
    expect(await world.serving()).toEqual(["1.1.0-2"]);
    expect(await world.release("1.4.0")).toMatchObject({ exitCode: 0, from: "1.1.0-2", to: "1.4.0-3" });
    expect(await world.serving()).toEqual(["1.4.0-3"]);
    remember();
  });

  it("that is cut off comes back; what was there is kept", async () => {
    const whole = world.text("release.json");
    world.write("release.json", whole.slice(0, 200));
    const { proof, kept } = await recover();
    expect(proof).toBe("exact");
    expect(lost()).toEqual([kept]);
    expect(world.text(kept!)).toBe(whole.slice(0, 200));
    expect(world.record).toEqual(JSON.parse(whole));
    expect(await world.deploy("rollback")).toMatchObject({ exitCode: 0, to: "1.1.0-2" });
    remember();
  });

  /** Version 0.1.0 kept no record on a proxy. */
  const forgetOnProxy = (): void => {
    const file = ".bluegreen/local/servers/proxy-1/state.json";
    const { record: _, ...state } = world.read<Record<string, unknown>>(file);
    world.write(file, state);
  };

  it.each([
    "another record that was planned",
    "nothing that Terraform was given",
    "nothing but what a director of 0.1.0 kept",
  ])("that is of an earlier sequence becomes the last one's, with %s left", async (left) => {
    const last = world.record;
    world.write("release.json", history.get(1)!);
    if (left.startsWith("another")) world.write(".bluegreen/local/planned-record.json", history.get(1)!);
    else {
      // A checkout on another machine: what is left of the apply is not there.
      rmSync(world.path(".bluegreen/local/planned-record.json"));
      for (const name of ["cdktf.out", "receipts"]) {
        rmSync(world.path(`.bluegreen/local/${name}`), { recursive: true });
      }
      if (left.endsWith("0.1.0 kept")) forgetOnProxy();
    }
    const recovered = await recover();
    // A schedule that is the environment's need not be said.
    const { schedule: _, ...facts } = last;
    if (recovered.proof === "exact") expect(world.record).toMatchObject(facts);
    else {
      const { sequence, active, slots } = last;
      expect(world.record).toMatchObject({ active, sequence: sequence + 1, goal: "live" });
      expect(world.record.slots[active]).toEqual(slots[active]);
      expect(recovered.unknown.join()).toMatch(/previous is unknown/);
    }
    expect(recovered.proof).toBe(left.endsWith("0.1.0 kept") ? "reconstructed" : "exact");
    const { to, exitCode } = await world.release(`1.4.${world.record.sequence + 1}`, "1.4.0");
    expect({ exitCode, serving: await world.serving() }).toEqual({ exitCode: 0, serving: [to] });
  });

  it("is refused where an artifact of what users get is nowhere", async () => {
    const good = world.text("release.json");
    forgetOnProxy();
    rmSync(world.path("release.json"));
    for (const name of ["planned-record.json", "cdktf.out", "receipts", "artifacts"]) {
      rmSync(world.path(`.bluegreen/local/${name}`), { recursive: true });
    }
    const ran = await world.run(["recover", "--yes"]);
    expect({ exitCode: ran.exitCode, said: ran.stderr }).toEqual({
      exitCode: 3,
      said: expect.stringMatching(/is live in (blue|green), and its artifact is not found/),
    });
    expect(existsSync(world.path("release.json"))).toBe(false);
    world.write("release.json", good);
  });
});
