/** What the command is given and can't do: one line says why, the exit code says whose fault, and nothing changed. */
import { chmodSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { dirname } from "node:path";
import { describeEndToEnd, oneLine, World } from "./world";

/** Stands for the packed release, which is not there yet where the tables are written. */
const PACKED = "<packed>";
const GOOD_DIGEST = "a".repeat(64);

describeEndToEnd("bad input", () => {
  let world: World;
  let file: string;
  let before: { record: string; environment: string };

  beforeAll(async () => {
    world = await World.create();
    expect((await world.release("1.0.0")).outcome).toBe("installed");
    expect((await world.release("1.1.0")).outcome).toBe("promoted");
    ({ file } = await world.pack("1.4.0"));
    mkdirSync(world.path("no-files"));
    before = { record: world.text("release.json"), environment: world.text("environments/local.json") };
  });
  afterAll(async () => expect(await world.end()).toEqual([]));
  afterEach(async () => {
    world.write("release.json", before.record);
    world.write("environments/local.json", before.environment);
    expect(await world.serving()).toEqual(["1.1.0-2"]);
  });

  async function refuses(
    args: readonly string[],
    exitCode: number,
    says: RegExp,
    env: NodeJS.ProcessEnv = {},
  ): Promise<void> {
    const record = world.text("release.json");
    const ran = await world.run(args, env);
    expect({ exitCode: ran.exitCode, said: oneLine(ran) }).toEqual({
      exitCode,
      said: expect.stringMatching(says),
    });
    expect(world.text("release.json")).toBe(record);
  }

  describe("on the command line", () => {
    it.each([
      ["an unknown command", ["relaese", "1.4.0"], /unknown command 'relaese'/],
      ["an unknown option", ["promote", "--too", "50"], /unknown option '--too'/],
      ["too many arguments", ["promote", "1.4.0"], /too many arguments/],
      ["a release without an artifact", ["release", "1.4.0"], /required option '--artifact/],
      ["a release without a version", ["release", "--artifact", "x"], /missing required argument 'version'/],
    ])("%s", async (_, args, says) => {
      await refuses(args, 2, says);
    });

    it.each([
      ["a slash", "1.4/0"],
      ["a blank", "1.4 0"],
      ["quotes", `1.4"0'`],
      ["a command to substitute", "$(touch hacked)"],
      ["a newline", "1.4.0\n1.4.1"],
      ["300 characters", "1".repeat(300)],
      ["two dots in a row", "1..4"],
      ["nothing", ""],
    ])("a version with %s", async (_, version) => {
      await refuses(
        ["release", version, "--artifact", file],
        2,
        /is not a valid version: 1 to 40 of the characters/,
      );
    });

    it.each([
      ["that is not there", ["no-such.zip"], /there is no file or folder no-such\.zip/],
      ["that is a folder without files", ["no-files"], /no-files has no files/],
      ["that is the project itself", ["."], /contains bluegreen's state/],
      [
        "with another digest than it has",
        [PACKED, "--sha256", GOOD_DIGEST],
        /has the digest [0-9a-f]{64}, but --sha256 is a{64}/,
      ],
      [
        "from an address without a digest, where nobody answers",
        ["http://127.0.0.1:9/a.zip"],
        /127\.0\.0\.1:9\/a\.zip: .*give the digest with --sha256/,
      ],
      [
        "with a digest that is none",
        ["https://example.invalid/a.zip", "--sha256", "abc"],
        /64 lower-case hex/,
      ],
      [
        "from plain http",
        ["http://example.invalid/a.zip", "--sha256", GOOD_DIGEST],
        /is not an artifact address/,
      ],
    ] as const)("an artifact %s", async (_, [artifact, ...more], says) => {
      await refuses(
        ["release", "1.4.0", "--artifact", artifact === PACKED ? file : artifact, ...more],
        2,
        says,
      );
    });

    it.each([
      ["a goal of 100", ["--goal", "100"], /"100" is not a goal/],
      ["a goal that is a word", ["--goal", "soon"], /"soon" is not a goal/],
      ["steps that shrink", ["--steps", "50,20,100"], /--steps must increase/],
      ["steps that end early", ["--steps", "5,50"], /--steps must end with 100/],
      ["steps that are words", ["--steps", "a,b"], /steps/],
      ["an unknown strategy", ["--strategy", "bluegreen"], /strategy/],
      ["seconds that are a word", ["--bake-seconds", "long"], /--bake-seconds/],
      ["seconds below zero", ["--bake-seconds", "-1"], /--bake-seconds/],
      ["an unknown reaction", ["--on-failure", "panic"], /--on-failure/],
      ["converge side by side", ["--converge"], /"converge" needs topology "split"/],
    ])("%s", async (_, options, says) => {
      await refuses(["release", "1.4.0", "--artifact", file, ...options], 2, says);
    });

    it("a recreate that shall stop half way", async () => {
      const options = ["--strategy", "recreate", "--goal", "staged"];
      await refuses(
        ["release", "1.4.0", "--artifact", file, ...options],
        3,
        /recreate goes live immediately/,
      );
    });

    it("a promotion where nothing waits", async () => {
      await refuses(["promote"], 3, /nothing to promote/);
    });

    it("an environment that is not there", async () => {
      await refuses(["status", "--environment", "environments/prod.json"], 2, /no environment file/);
    });
  });

  describe("in a file", () => {
    it.each([
      ["no JSON", "release.json", (text: string) => text.slice(0, -5), /release\.json is not JSON/],
      ["an unknown slot", "release.json", replace('"green"', '"red"'), /release\.json: .*(active|slots|red)/],
      ["an unknown field", "release.json", replace('"goal"', '"gaol"'), /release\.json: .*(goal|gaol)/],
      [
        "a newer format",
        "release.json",
        replace('"formatVersion": 1', '"formatVersion": 2'),
        /formatVersion/,
      ],
      [
        "a run from the future",
        "release.json",
        replace('"run": 2', '"run": 9'),
        /run is 9 but "sequence" is 2/,
      ],
      [
        "another application",
        "release.json",
        replace("socialgoal", "another"),
        /one of them is the wrong file/,
      ],
      ["no JSON", "environments/local.json", (text: string) => text.slice(0, -5), /local\.json is not JSON/],
      ["an unknown field", "environments/local.json", replace("stopSeconds", "stopSecs"), /stopSecs/],
      ["an unknown topology", "environments/local.json", replace("sideBySide", "inline"), /topology/],
      ["no JSON", "cdktf.json", (text: string) => text.slice(0, -5), /cdktf\.json is not JSON/],
    ])("%s: %s", async (_, name, damage, says) => {
      const text = world.text(name);
      world.write(name, damage(text));
      try {
        await refuses(["release", "1.4.0", "--artifact", file], 2, says);
      } finally {
        world.write(name, text);
      }
    });

    it.each([
      ["no JSON", (text: string) => text.slice(0, -5), /release\.json is not JSON/],
      ["an unknown slot", replace('"green"', '"red"'), /release\.json: /],
      ["another application", replace("socialgoal", "another"), /"another".*"socialgoal"/],
    ])("the record with %s, at synth", async (_, damage, says) => {
      world.write("release.json", damage(before.record));
      const ran = await world.synth();
      expect({ exitCode: ran.exitCode, said: oneLine(ran) }).toEqual({
        exitCode: 2,
        said: expect.stringMatching(says),
      });
    });
  });

  describe("around it", () => {
    it("no terraform, and no way to get one", async () => {
      const env = {
        PATH: dirname(process.execPath) + "/nowhere",
        BLUEGREEN_TERRAFORM_MIRROR: "http://127.0.0.1:9",
        XDG_CACHE_HOME: world.path("cache"),
      };
      const ran = await world.run(["release", "1.4.0", "--artifact", file], env);
      expect(ran.exitCode).toBe(2);
      expect(ran.stderr).toMatch(
        /Neither terraform nor tofu is on PATH, and Terraform .* could not be downloaded/,
      );
      expect(ran.stderr).not.toMatch(/^\s+at /m);
      expect(world.text("release.json")).toBe(before.record);
    });

    it("a terraform that is too old", async () => {
      const script = world.path("old/terraform");
      world.write("old/terraform", `#!/bin/sh\necho '{"terraform_version":"1.5.7"}'\n`);
      chmodSync(script, 0o755);
      const env = { PATH: `${dirname(script)}:${process.env["PATH"]}` };
      await refuses(
        ["release", "1.4.0", "--artifact", file],
        2,
        /1\.5\.7 at .* is too old: 1\.6\.0 or newer/,
        env,
      );
    });

    it("a record that another folder's proxies never saw: both pairs are named", async () => {
      const record = before.record.replaceAll("1.1.0", "1.1.9");
      world.write("release.json", record);
      await refuses(
        ["release", "1.4.0", "--artifact", file],
        3,
        /it has 1\.0\.0-1 in blue and 1\.1\.9-2 in green.*the proxy has 1\.1\.0-2 live in green/,
      );
    });
  });
});

describeEndToEnd("before the first release", () => {
  let world: World;
  beforeAll(async () => void (world = await World.create()));
  afterAll(async () => expect(await world.end()).toEqual([]));

  it.each(["promote", "rollback", "retry"])("%s is refused and starts nothing", async (command) => {
    const record = world.text("release.json");
    const ran = await world.run([command]);
    expect({ exitCode: ran.exitCode, said: oneLine(ran) }).toEqual({
      exitCode: 3,
      said: expect.stringMatching(/nothing|no release/),
    });
    expect(world.processes()).toEqual([]);
    expect(world.text("release.json")).toBe(record);
  });

  it("status and abort say that there is nothing yet", async () => {
    await world.run(["down"]);
    for (const command of ["status", "abort"]) {
      const ran = await world.run([command]);
      expect({ exitCode: ran.exitCode, said: oneLine(ran) }).toEqual({
        exitCode: 3,
        said: expect.stringMatching(/does not exist: nothing was released yet/),
      });
    }
  });
});

describeEndToEnd("a port that is in use", () => {
  let world: World;
  let occupant: Server | undefined;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(async () => {
    await leave();
    expect(await world.end()).toEqual([]);
  });

  const occupy = async (port: number): Promise<void> => {
    occupant = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => occupant!.listen(port, "127.0.0.1", resolve));
  };
  const leave = async (): Promise<void> => {
    if (occupant === undefined) return;
    await new Promise((resolve) => occupant!.close(resolve));
    occupant = undefined;
  };

  it("keeps base from being deployed, and once it is free the same command goes through", async () => {
    await occupy(world.portBase);
    const ran = await (await world.startRelease("1.0.0")).ended;
    expect({ exitCode: ran.exitCode, said: oneLine(ran) }).toEqual({
      exitCode: 3,
      said: expect.stringMatching(/in use by another program: stop it, or choose another platform\.portBase/),
    });
    expect(world.record.sequence).toBe(0);
    await leave();
    expect((await world.release("1.0.0")).outcome).toBe("installed");
    expect(await world.serving()).toEqual(["1.0.0-1"]);
  });

  it("keeps a release from being installed; the old one serves, and a retry goes through", async () => {
    expect((await world.release("1.0.0")).outcome).toBe("installed");
    await occupy(world.portBase + 101);
    const { exitCode, reason } = await world.release("1.1.0");
    expect({ exitCode, reason }).toEqual({
      exitCode: 3,
      reason: expect.stringMatching(new RegExp(`${world.portBase + 101}.*(in use|taken|listens)`)),
    });
    expect(await world.serving()).toEqual(["1.0.0-1"]);
    await leave();
    expect((await world.deploy("retry")).outcome).toBe("promoted");
    expect(await world.serving()).toEqual(["1.1.0-3"]);
  });
});

function replace(what: string, by: string): (text: string) => string {
  return (text) => text.replace(what, by);
}
