/** Somebody on call: looks at a plan first, is stopped where they should be, and can show afterwards what happened. */
import { cpSync, symlinkSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { userInfo } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { Receipt } from "../../release/receipt";
import { atTerminal } from "../cli/at-terminal";
import { COMMAND, describeEndToEnd, oneLine, until, World } from "./world";

interface PlanJson {
  readonly sequence: { from: number; to: number };
  readonly stable: string;
  readonly candidate: string;
  readonly proof: string;
  readonly willRun: string[];
  readonly done: string[];
  readonly warnings: string[];
  readonly token: string;
  readonly exitCode: number;
}

describeEndToEnd("an operator", () => {
  let world: World;
  let good: string;
  beforeAll(async () => {
    world = await World.create({ environment: { measurement: { rate: 20 } } });
    expect((await world.release("1.0.0")).exitCode).toBe(0);
    expect((await world.release("1.1.0")).exitCode).toBe(0);
    good = (await world.pack("1.1.1", "1.1.0")).file;
  });
  afterAll(async () => expect(await world.end()).toEqual([]));

  const plan = async (...args: string[]): Promise<PlanJson> => {
    const { stdout, stderr } = await world.run(["plan", ...args, "--json"]);
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout) as PlanJson;
  };

  async function refuses(args: readonly string[], says: RegExp, exitCode = 3): Promise<void> {
    const record = world.text("release.json");
    const ran = await world.run(args);
    expect({ exitCode: ran.exitCode, said: oneLine(ran) }).toEqual({
      exitCode,
      said: expect.stringMatching(says),
    });
    expect(world.text("release.json")).toBe(record);
    expect(await world.serving()).toEqual(["1.1.0-2"]);
  }

  it("sees a plan with its proof, its steps, its risks and a token, and nothing is changed", async () => {
    const record = world.text("release.json");
    const seen = await plan("release", "1.1.1", "--artifact", good, "--drain-seconds", "0");
    expect(seen).toMatchObject({
      sequence: { from: 2, to: 3 },
      stable: "1.1.0-2",
      candidate: "1.1.1-3",
      proof: "1.1.0-2 in green is not touched (2 install steps are no-ops)",
      done: ["install-green-web-1", "install-green-web-2"],
      willRun: ["begin-proxy-1", "install-blue-web-1", "install-blue-web-2", "switch-proxy-1"],
      exitCode: 0,
    });
    expect(seen.warnings.join()).toMatch(/drainSeconds is 0.*smoke is empty/);
    expect(world.text("release.json")).toBe(record);
    const { stdout } = await world.run(["plan", "rollback"]);
    expect(stdout).toMatch(/record 2 -> 3: 1\.0\.0-1 in blue/);
    expect(stdout).toMatch(
      /detects {4}(at [\d.]+ requests\/s.* and |not known: no receipt has the site's traffic yet)/,
    );
    expect(stdout).toMatch(/undo {7}rollback to 1\.1\.0-2 is instant/);
  });

  it("finds what all users got at the top of the receipt and of its report", async () => {
    const { stdout } = await world.run(["history", "2"]);
    expect(stdout.split("\n")[1]).toMatch(
      /^ {2}users {5}0 of [\d,]+ answers to users failed in \d+ s \(0 %\)/,
    );
    const report = await world.run(["report", "2", "--output", "-"]);
    expect(report.stdout).toContain("<h1>Users noticed nothing.</h1>");
  });

  it("is refused with a token of another plan, or of a record that moved; with its own, exactly that is applied", async () => {
    const asked = ["release", "1.1.1", "--artifact", good];
    const { token } = await plan(...asked);
    await refuses(
      ["release", "1.1.1", "--artifact", good, "--goal", "staged", "--token", token],
      /made for a different version/,
    );
    await refuses([...asked, "--token", token.replace(/^\d+/, "1")], /the record was at 1 and is now at 2/);
    await refuses([...asked, "--token", "yes"], /"yes" is not a plan token/, 2);
    expect(await world.deploy(...asked, "--token", token)).toMatchObject({ exitCode: 0, to: "1.1.1-3" });
    await refuses3([...asked, "--token", token], /the record was at 2 and is now at 3/);
    expect(await world.deploy("rollback")).toMatchObject({
      exitCode: 0,
      outcome: "rolledBack",
      to: "1.1.0-2",
    });
  });

  async function refuses3(args: readonly string[], says: RegExp): Promise<void> {
    const ran = await world.run(args);
    expect({ exitCode: ran.exitCode, said: oneLine(ran) }).toEqual({
      exitCode: 3,
      said: expect.stringMatching(says),
    });
  }

  const withTerminal = spawnSync("script", ["--version"]).status === 0 ? it : it.skip;

  withTerminal(
    "is asked at a terminal, with the plan in sight: no and Ctrl-C change nothing, yes goes on, drawn live",
    async () => {
      const { file } = await world.pack("1.1.4", "1.1.0");
      const line = `${process.execPath} ${COMMAND} release 1.1.4 --artifact ${file}`;
      const record = world.text("release.json");
      for (const answer of ["n\r", "\r", "\u0003"]) {
        const { screen, exitCode } = await atTerminal(
          line,
          [["Continue with this release?", answer]],
          world.folder,
        );
        expect({ screen, exitCode }).toEqual({
          screen: expect.stringMatching(/nothing was changed/),
          exitCode: 3,
        });
        expect(screen).toMatch(/proof +1\.1\.0-2 in green is not touched/);
        expect(screen).toMatch(/token +4-/);
      }
      expect(world.text("release.json")).toBe(record);
      expect(await world.serving()).toEqual(["1.1.0-2"]);
      const { screen, exitCode } = await atTerminal(
        line,
        [["Continue with this release?", "y\r"]],
        world.folder,
      );
      expect({ screen, exitCode }).toEqual({
        screen: expect.stringMatching(/record 5 promoted/),
        exitCode: 0,
      });
      // The live view had the cursor, and gave it back.
      expect(screen.lastIndexOf("\u001b[?25h")).toBeGreaterThan(screen.lastIndexOf("\u001b[?25l"));
      expect(screen).toMatch(/blue .*%/);
      const yes = await atTerminal(`${process.execPath} ${COMMAND} rollback --yes`, [], world.folder);
      expect(yes).toMatchObject({ exitCode: 0, screen: expect.stringMatching(/record 6 rolledBack/) });
    },
  );

  it("can't bring back what is banned, whoever tries, until the ban is lifted", async () => {
    const { file } = await world.pack("1.4.0");
    expect(await world.run(["ban", "1.4.0", "--reason", "loses goals"])).toMatchObject({ exitCode: 0 });
    await refuses(
      ["release", "1.4.0", "--artifact", file],
      /1\.4\.0 is banned: loses goals \(.*--lift 1\.4\.0/,
    );
    await refuses(["ban", "1.4.0", "--reason", "again"], /already banned/, 2);
    await refuses(["ban", "../x", "--reason", "x"], /is not a valid version/, 2);
    const lifted = await world.run(["ban", "1.4.0", "--lift", "--json"]);
    expect(JSON.parse(lifted.stdout)).toEqual({ banned: [], exitCode: 0 });
    await refuses(["ban", "1.4.0"], /--reason/, 2);
    expect((await world.run(["ban", "1.3", "--reason", "x"])).stderr).toMatch(
      /note: 1\.3 was never released here; known versions: 1\.0\.0/,
    );
    expect(await world.run(["ban", "1.3", "--lift"])).toMatchObject({ exitCode: 0 });
  });

  it("doesn't release in a freeze window, but may go back; passing it needs a reason, which is kept", async () => {
    world.changeEnvironment({
      freezeWindows: [{ reason: "sale", from: "2020-01-01T00:00:00Z", to: "2120-01-01T00:00:00Z" }],
    });
    const asked = ["release", "1.1.2", "--artifact", (await world.pack("1.1.2", "1.1.0")).file];
    await refuses(asked, /frozen now: sale .*--override-freeze/);
    const { sequence, receipt } = await world.deploy(...asked, "--override-freeze", "a hole must be closed");
    expect(z.parse(Receipt, world.read(receipt!))).toMatchObject({
      sequence,
      freezeOverride: { window: expect.stringContaining("sale"), reason: "a hole must be closed" },
    });
    expect(await world.deploy("rollback")).toMatchObject({ exitCode: 0, to: "1.1.0-2" });
    world.changeEnvironment({ freezeWindows: [] });
  });

  it("finds a receipt of every sequence, the failed one's with its reason", async () => {
    const { file } = await world.pack("1.2.0");
    const rejected = await world.deploy("release", "1.2.0", "--artifact", file);
    expect(rejected).toMatchObject({ exitCode: 4, outcome: "rejected" });
    const listed = await world.run(["history", "--json"]);
    const { receipts } = JSON.parse(listed.stdout) as { receipts: Receipt[] };
    expect(receipts.map(({ sequence, action, outcome }) => [sequence, action, outcome])).toEqual([
      [1, "release", "installed"],
      [2, "release", "promoted"],
      [3, "release", "promoted"],
      [4, "rollback", "rolledBack"],
      [5, "release", "promoted"],
      [6, "rollback", "rolledBack"],
      [7, "release", "promoted"],
      [8, "rollback", "rolledBack"],
      [9, "release", "rejected"],
    ]);
    for (const receipt of receipts) expect(() => z.parse(Receipt, receipt)).not.toThrow();
    expect(receipts.at(-1)).toMatchObject({
      who: { user: userInfo().username },
      from: "1.1.0-2",
      to: "1.1.0-2",
      exitCode: 4,
      reason: expect.stringMatching(/healthy/),
      plan: { live: "green", proof: expect.stringContaining("not touched") },
      record: { before: { sequence: 8 }, after: { sequence: 9 } },
    });
    expect(receipts[0]).toMatchObject({ requests: null, notMeasured: "nothing was live before" });
    for (const { requests, proxies } of receipts.slice(1)) {
      expect(requests).toMatchObject({ failed: 0, origin: world.origin() });
      expect(requests!.sent).toBeGreaterThan(5);
      expect(proxies.map(({ proxy }) => proxy)).toEqual(["proxy-1"]);
    }
    const events = (index: number) => receipts[index]!.proxies[0]!.journal.map(({ event }) => event);
    expect(events(1)).toEqual(expect.arrayContaining(["verified", "traffic", "judged", "drained"]));
    expect(events(8)).not.toContain("verified");
    expect((await world.run(["history"])).stdout).toMatch(/✖ +9 .*release rejected.*1\.1\.0-2 stays/);
    expect((await world.run(["history", "2"])).stdout).toMatch(/record 2: release promoted \(exit code 0\)/);
    await refuses(["history", "99"], /no receipt of record 99/, 2);
    await refuses(["history", "x"], /"x" is not a record's sequence/, 2);

    const retried = await world.run(["retry"]);
    expect(retried.exitCode).toBe(4);
    expect(retried.stderr).toMatch(
      /plan: done +install-green-web-1.*\nplan: undoing .*left by a failed apply.*\nplan: will run +begin-proxy-1/,
    );
    expect(await world.deploy("abort")).toMatchObject({ exitCode: 0, to: "1.1.0-2" });
  });

  it("of another checkout is told who is at work; afterwards, that the checkout is stale", async () => {
    const colleague = world.path("colleague");
    for (const name of ["environments", "release.json", "cdktf.json"]) {
      cpSync(world.path(name), join(colleague, name), { recursive: true });
    }
    symlinkSync(world.path(".bluegreen"), join(colleague, ".bluegreen"));
    const first = await world.startRelease("1.1.3", "1.1.0", "--bake-seconds", "3");
    await until(async () => (await world.status())[0]!.state.phase === "baking", "the first one bakes", {
      running: first,
    });
    const inColleague = (...args: string[]) => world.run(args, {}, colleague);
    const { file } = await world.pack("1.4.0");
    const second = await inColleague("release", "1.4.0", "--artifact", file);
    expect({ exitCode: second.exitCode, said: oneLine(second) }).toEqual({
      exitCode: 3,
      said: expect.stringMatching(
        new RegExp(
          `running here \\(release of 1\\.1\\.3 by ${userInfo().username} on .*process ${first.pid},`,
        ),
      ),
    });
    expect((await first.ended).exitCode).toBe(0);
    const stale = await inColleague("release", "1.4.0", "--artifact", file);
    expect({ exitCode: stale.exitCode, said: oneLine(stale) }).toEqual({
      exitCode: 3,
      said: expect.stringMatching(/Pull if this checkout is old|pull, then try again/),
    });
    expect(await world.serving()).toEqual([`1.1.3-${world.record.sequence}`]);
  });
});
