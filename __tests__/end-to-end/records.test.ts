/** The record is a file that people edit, revert and forget to pull: whatever they do to it, users keep their release. */
import type { ReleaseRecord } from "../../release/record";
import { changes, describeEndToEnd, oneLine, until, World } from "./world";
import type { Ran } from "./world";

/** Terraform tells a step's exit code as "exit status 3", and its last words. */
function refusedInside(ran: Ran, says: RegExp): void {
  expect({ failed: ran.exitCode !== 0, output: ran.stderr }).toEqual({
    failed: true,
    output: expect.stringMatching(/exit status 3/),
  });
  expect(ran.stderr.replace(/[│╷╵\s]+/g, " ")).toMatch(says);
}

describeEndToEnd("a record", () => {
  let world: World;
  /** Record texts by sequence, as git would have them. */
  const history = new Map<number, string>();

  beforeAll(async () => {
    world = await World.create();
    for (const [version, from] of [["1.0.0"], ["1.1.0"], ["1.1.1", "1.1.0"], ["1.4.0"]] as const) {
      expect((await world.release(version, from)).exitCode).toBe(0);
      history.set(world.record.sequence, world.text("release.json"));
    }
  });
  afterAll(async () => expect(await world.end()).toEqual([]));

  const live = (): string => "1.4.0-4";

  afterEach(async () => {
    expect(await world.serving()).toEqual([live()]);
  });

  async function refuses(args: readonly string[], says: RegExp): Promise<void> {
    const record = world.text("release.json");
    const ran = await world.run(args);
    expect({ exitCode: ran.exitCode, said: oneLine(ran) }).toEqual({
      exitCode: 3,
      said: expect.stringMatching(says),
    });
    expect(world.text("release.json")).toBe(record);
  }

  it("of two sequences ago (a stale checkout) lets no release through, and is not overwritten", async () => {
    const { file } = await world.pack("1.4.1", "1.4.0");
    for (const sequence of [2, 3]) {
      world.write("release.json", history.get(sequence)!);
      await refuses(
        ["release", "1.4.1", "--artifact", file],
        /(it has .* the proxy has 1\.4\.0-4 live in green\. Pull if this checkout is old|older than 4)/,
      );
    }
  });

  it.each(["rollback", "promote", "abort"])("of two sequences ago: %s is refused", async (command) => {
    world.write("release.json", history.get(2)!);
    await refuses([command], /./);
  });

  describe("changed by hand and not given the next sequence", () => {
    afterAll(() => world.write("release.json", history.get(4)!));

    const edited = (edit: (record: ReleaseRecord) => object): void => {
      const record = JSON.parse(history.get(4)!) as ReleaseRecord;
      world.record = { ...record, ...edit(record) };
    };

    it("is refused when its run runs ahead", async () => {
      edited(({ slots }) => ({ slots: { ...slots, blue: { ...slots.blue!, version: "1.4.1", run: 5 } } }));
      const ran = await world.synth();
      expect({ exitCode: ran.exitCode, said: oneLine(ran) }).toEqual({
        exitCode: 2,
        said: expect.stringMatching(/slots\.blue\.run is 5 but "sequence" is 4/),
      });
      world.write("release.json", history.get(4)!);
      expect(changes(await world.planByHand())).toEqual({});
    });

    it("does not succeed where it wants the other slot to be live", async () => {
      edited(() => ({ active: "blue" }));
      refusedInside(await world.applyByHand(), /record 4 /);
    });

    it("does not succeed where it names another artifact for the live release", async () => {
      edited(({ slots }) => ({
        slots: {
          ...slots,
          green: { ...slots.green!, artifact: { ...slots.green!.artifact, sha256: "0".repeat(64) } },
        },
      }));
      refusedInside(await world.applyByHand(), /record 4 /);
    });
  });

  /** As the refusals advise. The names of a refused apply are spent: the sequence after it may be needed. */
  async function mend(): Promise<void> {
    const { exitCode, reason } = await world.deploy("retry");
    if (exitCode === 0) return;
    expect(reason).toMatch(/was run on proxy-1 before.*`bluegreen retry`/);
    expect(await world.deploy("retry")).toMatchObject({ exitCode: 0, to: live() });
  }

  describe("applied by Terraform alone", () => {
    it("of an earlier time (git revert) is refused, and a retry of the right one mends it", async () => {
      world.write("release.json", history.get(3)!);
      refusedInside(
        await world.applyByHand(),
        /record 3 is older than 4|begin-3-[0-9a-f]{8} was run on proxy-1 before/,
      );
      expect(await world.serving()).toEqual([live()]);
      world.write("release.json", history.get(4)!);
      refusedInside(
        await world.applyByHand(),
        /begin-4-[0-9a-f]{8} was run on proxy-1 before.*bluegreen retry/,
      );
      expect(await world.serving()).toEqual([live()]);
      await mend();
      expect(world.deposed()).toEqual([]);
    });

    it("with a new version under an old run is refused by the installer", async () => {
      const good = world.record;
      world.record = { ...good, slots: { ...good.slots, blue: { ...good.slots.blue!, version: "1.4.9" } } };
      refusedInside(await world.applyByHand(), /is already known with different content/);
      world.record = good;
      await mend();
    });

    it("whose recorded release is not what users get is refused, with both pairs", async () => {
      const good = world.record;
      world.record = {
        ...good,
        sequence: good.sequence + 1,
        active: "blue",
        slots: {
          blue: { ...good.slots.blue!, version: "1.4.5", run: good.sequence + 1 },
          green: { ...good.slots.green!, version: "1.3.3" },
        },
      };
      refusedInside(
        await world.applyByHand(),
        /it has 1\.4\.5-\d+ in blue and 1\.3\.3-4 in green, with blue active; the proxy has 1\.4\.0-4 live in green/,
      );
      world.record = good;
      await mend();
    });

    it("with a wrong digest is rejected; applied again it is refused; a retry with the right digest goes on", async () => {
      const good = world.record;
      const { file, sha256 } = await world.pack("1.4.1", "1.4.0");
      const candidate = (digest: string, run: number) => ({
        ...good,
        sequence: run,
        active: "blue",
        retry: undefined,
        slots: {
          ...good.slots,
          blue: { version: "1.4.1", run, artifact: { url: `file://${file}`, sha256: digest } },
        },
        previous: good.slots.green,
      });
      world.record = candidate("0".repeat(64), good.sequence + 1);
      const rejected = await world.applyByHand();
      expect(rejected.stderr).toMatch(/exit status 4/);
      expect(rejected.stderr.replace(/[│╷╵\s]+/g, " ")).toMatch(
        /the artifact's sha256 is .* the record says 0{12}/,
      );
      refusedInside(
        await world.applyByHand(),
        /was run on web-1 before, and a step runs once: `bluegreen retry`/,
      );
      expect(await world.serving()).toEqual([live()]);

      // As a person mends it: the right digest, under the next sequence.
      world.record = candidate(sha256, good.sequence + 2);
      expect(await world.applyByHand()).toMatchObject({ exitCode: 0 });
      expect(await world.serving()).toEqual([`1.4.1-${good.sequence + 2}`]);
      expect(await world.deploy("rollback")).toMatchObject({ exitCode: 0, to: live() });
    });
  });

  it("is not changed by a second release, which names the one at work; nor by Terraform's own lock", async () => {
    const first = await world.startRelease("1.2.0");
    const { sequence } = world.record;
    await until(() => world.record.sequence === sequence + 1, "the record is written", { running: first });
    const record = world.text("release.json");
    const { file } = await world.pack("1.4.2", "1.4.0");
    for (const args of [
      ["release", "1.4.2", "--artifact", file],
      ["promote"],
      ["rollback"],
      ["retry"],
      ["down"],
    ]) {
      const ran = await world.run(args);
      expect({ args, exitCode: ran.exitCode, said: oneLine(ran) }).toEqual({
        args,
        exitCode: 3,
        said: expect.stringMatching(
          new RegExp(`another release is running here \\(release of 1\\.2\\.0 by .*process ${first.pid},`),
        ),
      });
    }
    expect(world.text("release.json")).toBe(record);
    expect((await first.ended).exitCode).toBe(4);
    expect(await world.deploy("abort")).toMatchObject({ exitCode: 0, to: live() });

    // Somebody else's terraform, which knows nothing of our lock.
    const good = world.record;
    const { file: bad, sha256 } = await world.pack("1.2.0");
    const run = good.sequence + 1;
    const artifact = { url: `file://${bad}`, sha256 };
    world.record = {
      ...good,
      sequence: run,
      active: "blue",
      slots: { ...good.slots, blue: { version: "1.2.0", run, artifact } },
    };
    const applying = world.applyByHand();
    await until(() => world.hasCommand("web-1", `install-blue-1.2.0-${run}`), "Terraform installs");
    await refuses(
      ["release", "1.4.2", "--artifact", file],
      /the state of web is locked by .*: another apply runs/,
    );
    expect((await applying).stderr).toMatch(/exit status 4/);
    expect(await world.deploy("abort")).toMatchObject({ exitCode: 0, to: live() });
  });

  it("of two sequences ago: retry is refused, too", async () => {
    const now = world.text("release.json");
    world.write("release.json", history.get(2)!);
    try {
      await refuses(["retry"], /does not match what users get|is older than|pull, then try again/);
    } finally {
      world.write("release.json", now);
    }
  });
});

describeEndToEnd("a record whose candidate has a weight of the requests", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create();
    expect((await world.release("1.0.0")).exitCode).toBe(0);
    expect(await world.release("1.1.0", undefined, "--goal", "20", "--step-seconds", "0.1")).toMatchObject({
      outcome: "paused",
    });
    expect(await world.deploy("promote", "--to", "60")).toMatchObject({ outcome: "paused", exitCode: 0 });
  });
  afterAll(async () => expect(await world.end()).toEqual([]));

  it("installs nothing under its users when it is changed by hand and not given the next sequence", async () => {
    const { file, sha256 } = await world.pack("1.4.0");
    const candidate = { version: "1.4.0", run: 2, artifact: { url: `file://${file}`, sha256 } };
    world.record = { ...world.record, slots: { ...world.record.slots, green: candidate } };
    const applied = await world.applyByHand();
    expect(await world.serving(0, 100)).toEqual(["1.0.0-1", "1.1.0-2"]);
    refusedInside(applied, /record 3 /);
  });
});
