/** `bluegreen status --watch` while a release runs: for machines, for a log, and on a (pseudo-)terminal. */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import * as z from "zod/mini";
import { ProxyStatus } from "../../release/director-status";
import { parseFile } from "../../release/validation";
import { describeEndToEnd, oneLine, REPOSITORY, until, World } from "./world";
import type { Running } from "./world";

const COMMAND = join(REPOSITORY, "lib/cli/main.js");
const CANARY = ["--strategy", "canary", "--steps", "20,60,100", "--step-seconds", "1.2"];

/** Stands for a deployment: it says what it does while the view is there. Enter ends it. */
const RELEASING = `
const cli = (name) => require(${JSON.stringify(join(REPOSITORY, "lib/cli/"))} + name);
const { openProject, readRecord } = cli("project/project.js");
const project = openProject(process.cwd(), "environments/local.json");
const progress = cli("terminal/progress.js").createProgress();
const view = cli("live/live-view.js").createLiveView(
  project,
  cli("proxies/proxies-of.js").proxiesOf(project),
  {
    record: readRecord(project),
    progress,
    measured: () => ({ sent: 1234, failed: 5, inFlight: 0, lastSecond: null }),
  },
);
(async () => {
  progress.now("planning");
  await view.start();
  progress.now("switch-proxy-1");
  await new Promise((resolve) => process.stdin.once("data", resolve));
  progress.note("a note that stays");
  view.stop();
  view.stop();
  progress.done("over");
  process.exit(0);
})();`;

const Look = z.object({
  at: z.string(),
  record: z.object({ sequence: z.int() }),
  proxies: z.array(ProxyStatus),
  problems: z.array(z.string()),
});
type Look = z.infer<typeof Look>;

/** Runs a command on a terminal of its own. @returns all that it wrote there, and how it ended. */
function onTerminal(world: World, columns: number, command: readonly string[]) {
  const program = `
import os, pty, sys
code = pty.spawn(sys.argv[1:])
sys.exit(os.waitstatus_to_exitcode(code))`;
  const shell = 'tty; stty rows 30 cols "$1"; shift; exec "$@"';
  const child = spawn(
    "python3",
    ["-c", program, "sh", "-c", shell, "sh", String(columns), process.execPath, ...command],
    {
      cwd: world.folder,
      env: { ...process.env, TERM: "xterm-256color", NO_COLOR: undefined, CHECKPOINT_DISABLE: "1" },
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  let written = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (written += text));
  const exitCode = new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    exitCode,
    written: () => written,
    /** The terminal turns Ctrl-C into the signal. */
    press: (key: string) => child.stdin.write(key),
    resize: (to: number) => {
      const [device = ""] = /^\/dev\/\S+/.exec(written) ?? [];
      return spawnSync("stty", ["-F", device, "cols", String(to)]).status;
    },
  };
}

describeEndToEnd("status --watch", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create();
    await world.release("1.0.0");
  });
  afterAll(async () => expect(await world.end()).toEqual([]));

  it("sees the weight grow, a JSON document a line, disturbs nothing, and ends with 0 on SIGINT", async () => {
    const watching = world.start(["status", "--watch", "--json", "--interval", "0.3"]);
    const log = world.start(["status", "--watch", "--interval", "0.3"]);
    expect(await world.release("1.1.0", undefined, ...CANARY)).toMatchObject({ outcome: "promoted" });
    const isLive = ({ state, traffic }: ProxyStatus): boolean =>
      state.finished && traffic.live === "green" && state.journal.at(-1)?.event === "users";
    const looks = await end(watching, (stdout) => parse(stdout).some(({ proxies }) => proxies.some(isLive)));

    const all = parse(looks);
    expect(all.flatMap(({ problems }) => problems)).toEqual([]);
    const weights = all.flatMap(({ proxies }) =>
      proxies.map(({ traffic }) => `${traffic.live} ${traffic.weight}`),
    );
    const changes = weights.filter((weight, index) => weight !== weights[index - 1]);
    expect(changes.filter((change) => change !== "blue 100")).toEqual([
      "blue 0",
      "blue 20",
      "blue 60",
      "green 0",
    ]);
    const { state, counts } = all.at(-1)!.proxies[0]!;
    expect(counts?.blue.requests).toEqual(expect.any(Number));
    expect(state.journal.map(({ event }) => event)).toEqual([
      ...["drained", "verified", "traffic", "judged", "traffic", "judged", "traffic", "judged", "traffic"],
      ...["drained", "users"],
    ]);

    const lines = (await end(log, (stdout) => stdout.includes("1.1.0-2 is live in green; ")))
      .trim()
      .split("\n");
    const said = lines.map((line) => line.replace(/^\S+ /, ""));
    expect(said[0]).toBe("proxy-1: record 1, 1.0.0-1 is live in blue; blue 100 % 1.0.0-1, green 0 % nothing");
    expect(said).toContain("proxy-1: record 2, 20 % to green; blue 80 % 1.0.0-1, green 20 % 1.1.0-2");
    expect(said.at(-1)).toBe(
      "proxy-1: record 2, 1.1.0-2 is live in green; blue 0 % 1.0.0-1, green 100 % 1.1.0-2",
    );
    expect(said.filter((line, index) => line === said[index - 1])).toEqual([]);
  });

  it("draws on a terminal in place, and leaves it as it was on Ctrl-C", async () => {
    const terminal = onTerminal(world, 100, [COMMAND, "status", "--watch", "--interval", "0.2"]);
    const bar = (length: number): string => `${"█".repeat(length)}\u001b[39m 100 %`;
    await until(() => terminal.written().includes(bar(40)), "the view is drawn");
    expect(terminal.resize(50)).toBe(0);
    await until(
      () => terminal.written().includes(bar(25)),
      "it is drawn anew, as wide as the terminal is now",
    );
    const { length } = terminal.written();
    expect(terminal.written()).toContain("\u001b[?25l");
    terminal.press("\u0003");
    expect(await terminal.exitCode).toBe(0);
    expect(terminal.written().slice(length)).toContain("\u001b[?25h");
    expect(terminal.written().lastIndexOf("\u001b[?25h")).toBeGreaterThan(
      terminal.written().lastIndexOf("\u001b[?25l"),
    );
    // Slots have their colours, and nothing went to another screen that would be gone now.
    expect(terminal.written()).toContain("\u001b[32m  green");
    expect(terminal.written()).not.toContain("\u001b[?1049h");
  });

  it("leaves room for what a release says, and goes without a trace", async () => {
    const terminal = onTerminal(world, 100, ["-e", RELEASING]);
    await until(() => terminal.written().includes("measured: 1,234 sent, 5 failed"), "the view is drawn");
    await until(() => terminal.written().includes(" is live in "), "a look was taken");
    expect(terminal.written()).toMatch(/\S switch-proxy-1/);
    terminal.press("\n");
    expect(await terminal.exitCode).toBe(0);
    const { length } = terminal.written();
    const last = terminal.written().slice(terminal.written().indexOf("a note that stays"), length);
    // What was drawn is erased before anything else is said, and the cursor is back.
    expect(last).toMatch(/(\u001b\[2K\u001b\[1A){5,}[^]*\u001b\[\?25h[^]*✔[^\n]* over\r?\n(\u001b\[\?25h)?$/);
  });

  it("says which proxy can't be queried, and goes on", async () => {
    const stranger = await World.create({ proxies: 2 });
    const watching = stranger.start(["status", "--watch", "--json", "--interval", "0.2"]);
    const stdout = await end(watching, (text) => parse(text).length >= 2);
    expect(parse(stdout)[1]).toMatchObject({
      proxies: [],
      problems: [
        expect.stringContaining("proxy-1 does not exist: nothing was released yet"),
        expect.stringContaining("proxy-2 does not exist"),
      ],
    });
    expect(await stranger.end()).toEqual([]);
  });

  it.each([
    ["0", '--interval is "0" but must be from 0.2 to 3600 seconds'],
    ["soon", '--interval is "soon" but must be from 0.2 to 3600 seconds'],
  ])("refuses an interval of %s", async (interval, complaint) => {
    const ran = await world.run(["status", "--watch", `--interval=${interval}`]);
    expect({ exitCode: ran.exitCode, complaint: oneLine(ran) }).toEqual({ exitCode: 2, complaint });
  });

  it("refuses an interval without --watch", async () => {
    const ran = await world.run(["status", "--interval", "5"]);
    expect(ran).toMatchObject({ exitCode: 2, stdout: "" });
  });
});

function parse(stdout: string): Look[] {
  return stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => parseFile(Look, line, "the look"));
}

/** Waits for what it has said, then ends it as Ctrl-C does. @returns its stdout. */
async function end(running: Running, isEnough: (stdout: string) => boolean): Promise<string> {
  await until(() => isEnough(running.stdout()), "enough output", { running });
  running.signal("SIGINT");
  const { exitCode, stdout, stderr } = await running.ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return stdout;
}
