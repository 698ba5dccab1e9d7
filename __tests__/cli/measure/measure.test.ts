/** `bluegreen measure` as a process: exit codes, the receipt, bad input, and what a signal does. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MeasureReceipt } from "../../../release/receipt";
import { Application, plan, until } from "../load/application";
import { endOnRequest } from "../load/end-on-request";
import { LEAST } from "../../release/examples";
import { TERMINAL_SHELL } from "../at-terminal";
import { COMMAND, node, SHORT, start } from "./command";

let application: Application;
let folder: string;

beforeEach(async () => {
  application = await Application.listen();
  folder = mkdtempSync(join(tmpdir(), "bluegreen-measure-"));
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await application.close();
});

const ask = (path: string): string => `fetch(${JSON.stringify(application.origin + path)})`;

/** A deployment that costs exactly so many requests: it is over once they have failed. */
const deployment = (failures: number): string[] => {
  let left = 0;
  application.intercept = (_request, response, { path }) => {
    if (path === "/deploy") {
      left = failures;
      void until(() => left === 0).then(() => response.writeHead(204).end());
      return true;
    }
    if (left === 0) return false;
    left -= 1;
    response.writeHead(503).end();
    return true;
  };
  return node(`console.log("deploying"); ${ask("/deploy")}`);
};

const at = (...rest: string[]): string[] => ["--url", application.origin, ...SHORT, ...rest];
const jsonOf = (stdout: string): MeasureReceipt => {
  const receipt = MeasureReceipt.safeParse(JSON.parse(stdout));
  expect(receipt.error).toBeUndefined();
  return receipt.data!;
};

describe("a command that nobody notices", () => {
  test("ends with 0, its own output is untouched, and the summary is on stderr", async () => {
    const { exitCode, stdout, stderr } = await start(at(...deployment(0))).ended;
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "deploying\n" });
    expect(stderr).toMatch(/^✔ unnoticed: 0 of \d+ requests failed, longest gap \d+ ms\n {2}load {6}http/);
    expect(stderr).toContain("versions  not read from the answers");
  });

  test("--json: the receipt alone on stdout, the command's own output on stderr", async () => {
    const started = start(at("--json", "--release-header", "x-release-id", ...deployment(0)));
    const { exitCode, stdout, stderr } = await started.ended;
    const receipt = jsonOf(stdout);
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/^deploying\n✔ unnoticed/);
    expect(receipt).toMatchObject({
      action: "measure",
      application: null,
      environment: null,
      command: [process.execPath, "--eval", expect.stringContaining("/deploy")],
      outcome: "unnoticed",
      exitCode: 0,
      commandExitCode: 0,
      allowedFailures: 0,
      notMeasured: null,
      requests: { origin: application.origin, rate: 50, failed: 0, failures: {}, acknowledged: 0 },
    });
    const { requests, seconds, startedAt } = receipt;
    expect(requests?.versions).toEqual({ "1.0.0-1": requests?.sent });
    expect(requests?.sent).toBe(application.seen.filter(({ path }) => path === "/").length - 1);
    // The load began before the command and ended after it.
    const [first] = requests?.timeline ?? [];
    expect(Date.parse(first!.at)).toBeLessThan(Date.parse(startedAt));
    expect(requests?.timeline.reduce((sum, point) => sum + point.seconds, 0)).toBeGreaterThan(seconds);
  });

  test("--receipt: the same in a file", async () => {
    const file = join(folder, "receipt.json");
    const { exitCode, stdout } = await start(at("--json", "--receipt", file, ...deployment(0))).ended;
    expect(exitCode).toBe(0);
    expect(readFileSync(file, "utf8")).toBe(stdout);
  });
});

describe("a command that users notice", () => {
  test("ends with 1 although it succeeded: how many, which kinds, the longest gap", async () => {
    const { exitCode, stderr } = await start(at(...deployment(3))).ended;
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^✖ noticed: 3 of \d+ requests failed \(3 status 503\), longest gap \d+ ms; none is allowed\n/,
    );
  });

  test.each([
    [["--allowed-failures", "3"], 0, "✔ unnoticed: 3 of "],
    [["--allowed-failures", "2"], 1, "; 2 are allowed\n"],
  ])("with %j it ends with %i", async (allowed, exitCode, words) => {
    const ended = await start(at(...allowed, ...deployment(3))).ended;
    expect(ended).toMatchObject({ exitCode, stderr: expect.stringContaining(words) });
  });

  test("its own exit code wins, and both are told", async () => {
    const [, ...failing] = deployment(2);
    const script = `${failing.at(-1)}.then(() => process.exit(42))`;
    const { exitCode, stdout, stderr } = await start(at("--json", ...node(script))).ended;
    expect(exitCode).toBe(42);
    expect(stderr).toMatch(/✖ the command ended with exit code 42; 2 of \d+ requests failed/);
    expect(jsonOf(stdout)).toMatchObject({
      outcome: "commandFailed",
      exitCode: 42,
      commandExitCode: 42,
      requests: { failed: 2, failures: { "status 503": 2 } },
    });
  });

  test("a load that dies is no proof that nobody noticed", async () => {
    const end = endOnRequest();
    application.intercept = (_request, response, { path }) => {
      if (path !== "/deploy") return false;
      end.request();
      // The command's own connection is the last one.
      void until(() => application.open === 1).then(() => response.end());
      return true;
    };
    const env = { NODE_OPTIONS: `--import=${end.module}` };
    const { exitCode, stdout, stderr } = await start(at("--json", ...node(ask("/deploy"))), { env }).ended;
    const why = "the load process ended unexpectedly (exit code 7)";
    expect(exitCode).toBe(1);
    expect(stderr).toBe(`✖ unknown: not measured: ${why}\n`);
    expect(jsonOf(stdout)).toMatchObject({ outcome: "unknown", requests: null, notMeasured: why });
  });
});

describe("what is measured", () => {
  const written = (json: unknown): string => {
    const file = join(folder, "load.json");
    writeFileSync(file, JSON.stringify(json));
    return file;
  };
  const short = ["--warm-up", "0.5", "--cool-down", "0"];

  test("--plan: POSTs too, each of which is looked for", async () => {
    const file = written(plan(application.origin, { rate: 100 }));
    const { exitCode, stdout, stderr } = await start(["--plan", file, ...short, "--json", ...node("")]).ended;
    const { requests } = jsonOf(stdout);
    expect(exitCode).toBe(0);
    expect(requests?.acknowledged).toBeGreaterThan(0);
    expect(requests?.found).toBe(application.rows.size);
    expect(stderr).toMatch(/ {2}rows {6}(\d+) acknowledged, \1 found/);
  });

  test("--plan: an acknowledged POST that is gone at the end was noticed", async () => {
    application.intercept = (_request, response, { path }) => {
      if (!path.startsWith("/api/goals/")) return false;
      application.reply(response, 404, {});
      return true;
    };
    const file = written(plan(application.origin, { rate: 100, postShare: 1 }));
    const { exitCode, stderr } = await start(["--plan", file, ...short, ...node("")]).ended;
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^✖ noticed: 0 of \d+ requests failed, (\d+) of \1 acknowledged POSTs are gone/);
  });

  test.each([
    {
      lost: true,
      exitCode: 1,
      words: /^✖ noticed: 0 of \d+ requests failed, (\d+) of \d+ sessions are lost, longest/,
    },
    { lost: false, exitCode: 0, words: /^✔ unnoticed: 0 of \d+ requests failed, longest gap/ },
  ])("--plan: a form, whose lost sessions were noticed: $lost", async ({ lost, exitCode, words }) => {
    application.intercept = (_request, response, { path }) => {
      if (path !== "/form/2") return false;
      response.setHeader("x-release-id", application.release);
      response.writeHead(303, { location: lost ? `${application.origin}/form/1?lost` : "/done" }).end();
      return true;
    };
    const form = {
      ...{ users: 5, thinkSeconds: 0.05, lost: { status: 303, location: "/form/1?lost" } },
      steps: [
        { path: "/form/1" },
        { path: "/form/2", fields: { text: "x" }, status: 303, location: "/done" },
      ],
    };
    const file = written(plan(application.origin, { rate: 100, form }));
    const ended = await start(["--plan", file, "--json", ...short, ...node("")]).ended;
    expect(ended.exitCode).toBe(exitCode);
    expect(ended.stderr).toMatch(words);
    const { requests } = jsonOf(ended.stdout);
    const sessions = requests!.sessions!;
    expect(requests!.failed).toBe(0);
    expect(lost ? sessions.lost : sessions.completed).toBeGreaterThan(0);
    expect(lost ? sessions.completed : sessions.lost).toBe(0);
    expect(ended.stderr).toContain(
      `  sessions  ${sessions.begun} begun, ${sessions.completed} completed, ${sessions.lost} lost\n`,
    );
  });

  test("without either: what the environment says, and --path, --rate instead of it", async () => {
    mkdirSync(join(folder, "environments"));
    const measurement = { origin: application.origin, rate: 20 };
    writeFileSync(join(folder, "environments/local.json"), JSON.stringify({ ...LEAST, measurement }));
    const args = [...short, "--path", "/", "--path", "/about", "--rate", "40", "--json", ...node("")];
    const { exitCode, stdout } = await start(args, { cwd: folder }).ended;
    expect(exitCode).toBe(0);
    expect(jsonOf(stdout)).toMatchObject({
      application: "socialgoal",
      environment: "local",
      requests: { rate: 40, origin: application.origin },
    });
    expect(new Set(application.seen.map(({ path }) => path))).toEqual(new Set(["/", "/about"]));
  });
});

describe("refused before anything is started", () => {
  const touched = (): string => join(folder, "touched");
  const touch = (): string[] => node(`require("node:fs").writeFileSync(${JSON.stringify(touched())}, "")`);

  test.each<[string, () => string[], number, RegExp]>([
    ["no command", () => at(), 2, /missing required argument 'command'/],
    ["an empty command", () => at("--", ""), 2, /no command given: name one after --/],
    [
      "a URL that is none",
      () => ["--url", "shop", ...touch()],
      2,
      /--url "shop" must be scheme, host and port/,
    ],
    [
      "a URL with a page",
      () => ["--url", `${application.origin}/a`, ...touch()],
      2,
      /name pages with --path/,
    ],
    [
      "a path that is none",
      () => at("--path", "about us", ...touch()),
      2,
      /--path "about us" is not an HTTP path/,
    ],
    [
      "no rate",
      () => at("--rate", "fast", ...touch()),
      2,
      /--rate "fast" must be a number from 0.1 to 10000/,
    ],
    ["less than no time", () => at("--warm-up=-1", ...touch()), 2, /--warm-up "-1" must be a number/],
    ["half a failure", () => at("--allowed-failures", "0.5", ...touch()), 2, /must be a whole number/],
    [
      "no such header",
      () => at("--release-header", "a b", ...touch()),
      2,
      /'releaseHeader': must be a header/,
    ],
    ["no such plan", () => ["--plan", "none.json", ...touch()], 2, /plan none.json can't be read: ENOENT/],
    ["a plan and a URL", () => at("--plan", "none.json", ...touch()), 2, /--plan and --url contradict/],
    ["two sources", () => at("--environment", "x.json", ...touch()), 2, /--url and --environment contradict/],
    ["no environment", () => ["--environment", "none.json", ...touch()], 2, /no environment file none.json/],
    ["nowhere to write", () => at("--receipt", "none/r.json", ...touch()), 2, /ENOENT in its folder/],
    ["a folder to write", () => at("--receipt", folder, ...touch()), 2, /is a folder: name a file/],
    ["an unknown option", () => at("--loud", ...touch()), 2, /unknown option '--loud'/],
  ])("%s: one line, exit code 2", async (_, args, exitCode, words) => {
    const ended = await start(args(), { cwd: folder }).ended;
    expect(ended).toEqual({ exitCode, signal: null, stdout: "", stderr: expect.stringMatching(words) });
    expect(ended.stderr.trim().split("\n")).toHaveLength(1);
    expect({ touched: existsSync(touched()), asked: application.seen }).toEqual({
      touched: false,
      asked: [],
    });
  });

  test.each([
    ["no JSON", "{", /load\.json is not JSON: /],
    [
      "POSTs that nobody looks for",
      { ...plan("http://x"), find: undefined },
      /load\.json: .*'find': belongs to/,
    ],
    ["an unknown field", { ...plan("http://x"), pages: 1 }, /load\.json: .*Unrecognized key: "pages"/],
  ])("a plan with %s: one line, exit code 2", async (_, content, words) => {
    const text = typeof content === "string" ? content : JSON.stringify(content);
    writeFileSync(join(folder, "load.json"), text);
    const { exitCode, stderr } = await start(["--plan", "load.json", ...touch()], { cwd: folder }).ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringMatching(words) });
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(existsSync(touched())).toBe(false);
  });

  test("nobody answers: exit code 3", async () => {
    const { origin } = application;
    await application.close();
    const { exitCode, stderr } = await start(["--url", origin, ...touch()]).ended;
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr: `${origin}/ does not answer as expected (no answer: ECONNREFUSED), so a load would measure nothing: the command was not started\n`,
    });
    expect(existsSync(touched())).toBe(false);
    application = await Application.listen();
  });

  test("one of the pages answers badly: exit code 3", async () => {
    application.intercept = (_request, response, { path }) => {
      if (path === "/gone") response.writeHead(404).end();
      return path === "/gone";
    };
    const { exitCode, stderr } = await start(at("--path", "/", "--path", "/gone", ...touch())).ended;
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/\/gone does not answer as expected \(status 404, not 200\)/);
    expect(existsSync(touched())).toBe(false);
  });

  test("a page that fails once is asked again", async () => {
    let failed = false;
    application.intercept = (request) => {
      if (failed) return false;
      failed = true;
      request.socket.resetAndDestroy();
      return true;
    };
    expect(await start(at(...touch())).ended).toMatchObject({ exitCode: 0 });
  });
});

test.each([
  ["no-such-program", "ENOENT"],
  [__filename, "EACCES"],
])("a command that can't be started (%#): one line, exit code 2, no receipt", async (program, code) => {
  const file = join(folder, "receipt.json");
  const ended = await start(at("--json", "--receipt", file, "--", program)).ended;
  expect(ended).toEqual({
    exitCode: 2,
    signal: null,
    stdout: "",
    stderr: expect.stringMatching(new RegExp(`^".*" can't be started: ${code}\\n$`)),
  });
  expect(existsSync(file)).toBe(false);
});

describe("a signal", () => {
  const patient = (signal: string, exit: string): string[] =>
    node(
      `let got = 0; process.on("${signal}", () => { got += 1; setTimeout(() => { console.log("got " + got); ${exit} }, 200) });
       console.log("ready"); setInterval(() => undefined, 1000)`,
    );

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "%s is for the command, once; it is awaited, and the summary comes",
    async (signal) => {
      const running = start(at(...patient(signal, "process.exit(7)")));
      await until(() => running.output().includes("ready"));
      running.signal(signal);
      const { exitCode, stdout, stderr } = await running.ended;
      expect({ exitCode, stdout }).toEqual({ exitCode: 7, stdout: "ready\ngot 1\n" });
      expect(stderr).toMatch(/^✖ the command ended with exit code 7; 0 of \d+ requests failed/);
    },
  );

  test("Ctrl-C on a terminal, which sends it to the command itself, is not sent a second time", async () => {
    const script = join(folder, "on-a-terminal.sh");
    const words = [process.execPath, COMMAND, "measure", ...at(...patient("SIGINT", "process.exit(7)"))];
    writeFileSync(script, `exec ${words.map((word) => `'${word}'`).join(" ")}\n`);
    const terminal = spawn("script", ["--quiet", "--return", "--command", `sh ${script}`, "/dev/null"], {
      env: { ...process.env, SHELL: TERMINAL_SHELL },
    });
    let said = "";
    terminal.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const ended = once(terminal, "close");
    await until(() => said.includes("ready"));
    terminal.stdin.write("\u0003");
    expect(await ended).toEqual([7, null]);
    expect(said).toContain("got 1\r\n");
    expect(said).toContain("the command ended with exit code 7; 0 of ");
  });

  test("that ends the command is told as shells tell it", async () => {
    const running = start(at(...node(`console.log("ready"); setInterval(() => undefined, 1000)`)));
    await until(() => running.output().includes("ready"));
    running.signal("SIGTERM");
    expect(await running.ended).toMatchObject({
      exitCode: 143,
      stderr: expect.stringContaining("the command ended with exit code 143; 0 of "),
    });
  });

  test("ends the cool-down, for somebody in a hurry", async () => {
    const running = start([...at(), "--cool-down", "3600", ...node(`console.log(process.pid)`)]);
    await until(() => running.output().includes("\n"));
    const pid = Number(running.output());
    await until(() => {
      if (!isAlive(pid)) running.signal("SIGINT");
      return running.output().includes("unnoticed");
    });
    await running.ended;
  });

  test("before the command has started ends everything, and nothing is started", async () => {
    const touched = join(folder, "touched");
    const running = start([
      ...at(),
      "--warm-up",
      "3600",
      ...node(`require("fs").writeFileSync("${touched}", "")`),
    ]);
    await until(() => application.seen.length >= 5);
    running.signal("SIGINT");
    await running.ended;
    await until(() => application.open === 0);
    expect(existsSync(touched)).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
