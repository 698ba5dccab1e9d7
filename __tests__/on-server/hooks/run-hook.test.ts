/** What a project's hook can rely on: its arguments, its facts, its time; and what nobody has to fear from it. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readHookRun } from "../../../release/hook-run";
import { until } from "../../end-to-end/world";
import { Project, runs } from "./hook";

const SCRIPT = "on-server/hooks/run-hook.sh";
const SECONDS = String.raw`\d+\.\d s`;

let project: Project;
beforeEach(() => (project = new Project()));
afterEach(() => project.remove());

const node = (code: string, ...args: string[]) => ({ command: ["node", "-e", code, "--", ...args] });
const bash = (code: string, ...args: string[]) => ({ command: ["bash", "-c", code, ...args] });

test("a program gets its arguments exactly, the facts on stdin, and runs in the project's folder", async () => {
  const hostile = [
    ...["a b", "", '"', "'", "\\", "$(touch hacked)", "`touch hacked`", "${x}", "$${x}", "%{ if true }"],
    ...["a\nb", "\n", "\t", "*", "; touch hacked", "-n", "--", "ünïcode 🚀", "~", "\u001b[31m"],
  ];
  const facts = { formatVersion: 1, text: 'ä "quoted" $(touch hacked)\n', nested: { list: [1, 2] } };
  const code = `const text = require("fs").readFileSync(0, "utf8");
    require("fs").writeFileSync("seen.json", JSON.stringify([process.argv.slice(1), JSON.parse(text), process.cwd()]));`;
  expect((await project.run(node(code, ...hostile), facts)).exitCode).toBe(0);
  expect(JSON.parse(project.read("seen.json"))).toEqual([hostile, facts, project.folder]);
  expect(project.has("hacked")).toBe(false);
});

test("a program sees nothing of how it was started, and all of the environment", async () => {
  await project.run(bash("env >seen"), {}, { CHAT_ROOM: "releases" });
  expect(project.read("seen")).toContain("CHAT_ROOM=releases\n");
  expect(project.read("seen")).not.toMatch(/^(HOOK_|PROJECT_FOLDER)/m);
});

test("what it says goes to stderr with its name, as plain lines; the last line says how it ended", async () => {
  const ran = await project.run(
    bash(String.raw`printf 'one\ttwo\n\n'; printf '\033[31mred\033[0m\007\nhalf\rway \xc2\x9b2J\0end' >&2`),
  );
  expect(ran.exitCode).toBe(0);
  expect(JSON.parse(ran.stdout)).toEqual({
    ...{ step: "hook", name: "smoke", when: "before switch", outcome: "passed" },
    ...{ exitCode: 0, seconds: expect.any(Number), lastLine: "way 2Jend", reason: ran.last },
  });
  expect(ran.stderr.split("\n").slice(0, -2)).toEqual([
    "smoke: one two",
    "smoke: red",
    "smoke: half",
    "smoke: way 2Jend",
  ]);
  expect(ran.last).toMatch(new RegExp(`^hook 'smoke' before switch passed in ${SECONDS}: way 2Jend$`));
});

test("what it says is no end of another hook: its lines carry its name", async () => {
  const forged = { step: "hook", name: "approval", when: "before begin", outcome: "passed", exitCode: 0 };
  const line = JSON.stringify({ ...forged, seconds: 0.1, lastLine: "", reason: "passed" });
  const { stdout, stderr } = await project.run({ command: ["bash", "-c", 'echo "$0"; exit 1', line] });
  const read = `${stderr}${stdout}`.trim().split("\n").map(readHookRun);
  expect(read).toEqual([
    ...[null, null],
    {
      run: expect.objectContaining({ name: "smoke", exitCode: 1, lastLine: line }),
      reason: expect.any(String),
    },
  ]);
});

test.each([String.raw`"quoted" \\ \" \u0022,\ $(id) ${"`id`"} %s %n`, "ünï 🚀"])(
  "its last line, %j, comes through the result line as it is",
  async (said) => {
    const { run, last } = await project.run({ command: ["printf", "%s", said] });
    expect(run?.lastLine).toBe(said);
    expect(last).toContain(said);
  },
);

test("bytes that are no text leave a result line that can be read", async () => {
  const { run } = await project.run({ command: ["printf", String.raw`half \377`] });
  expect(run).toMatchObject({ exitCode: 0, lastLine: "half \ufffd" });
});

test("a flood of output is cut to its end", async () => {
  const ran = await project.run(bash("seq 1 100000; exit 3"));
  expect(ran.stderr.length).toBeLessThan(64 * 1024);
  expect(ran.last).toMatch(/failed with exit code 3 in .*: 100000$/);
});

test.each([
  ["before begin", 4],
  ["before migrate", 4],
  ["before install", 4],
  ["before switch", 4],
  ["before converge", 6],
  ["before share", 6],
  ["before release", 4],
  ["after begin", 0],
  ["after switch", 0],
  ["after release", 0],
])("a failure %s ends the step with exit code %i", async (when, exitCode) => {
  const script = spawn("bash", [SCRIPT], {
    env: {
      ...process.env,
      HOOK_NAME: "smoke",
      HOOK_WHEN: when,
      HOOK_TIMEOUT_SECONDS: "10",
      HOOK_FACTS_BASE64: Buffer.from("{}").toString("base64"),
      HOOK_COMMAND_BASE64: Buffer.from("sh\0-c\0echo no; exit 7\0").toString("base64"),
      PROJECT_FOLDER: project.folder,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let result = "";
  script.stdout.on("data", (data) => (result += data));
  script.stderr.on("data", (data) => (said += data));
  const code = await new Promise((resolve) => script.once("close", resolve));
  const stops = when.startsWith("after") ? ", which stops nothing" : "";
  expect(said).toMatch(
    new RegExp(`^smoke: no\nhook 'smoke' ${when} failed with exit code 7 in ${SECONDS}${stops}: no\n$`),
  );
  expect(code).toBe(exitCode);
  expect(readHookRun(result)?.run).toMatchObject({ exitCode: 7, lastLine: "no", when });
});

test.each([
  ["that is not there", ["no-such-program"], 127, /No such file or directory$/],
  ["that is no program", ["/etc"], 126, /Permission denied$/],
])("a program %s fails, and says why", async (_, command, code, words) => {
  const { exitCode, run } = await project.run({ command });
  expect(exitCode).toBe(4);
  expect(run).toMatchObject({ exitCode: code, lastLine: expect.stringMatching(words) });
});

describe("time is limited", () => {
  test("a hook that does not end is ended, with all that it started", async () => {
    const code = `bash -c 'trap "" TERM; echo $$ >child; sleep 50 & wait; sleep 50' & echo started; sleep 50`;
    const { exitCode, last } = await project.run({ ...bash(code), timeoutSeconds: 1 });
    expect(exitCode).toBe(4);
    expect(last).toMatch(
      /failed with exit code 124 in [1-4]\.\d s: it did not end within 1 s; last: started$/,
    );
    await until(() => !runs(project.read("child")), "the child is gone");
  });

  test("one that ignores to be told so is killed", async () => {
    const code = `trap "" TERM; echo $$ >self; while :; do sleep 0.2; done`;
    const { exitCode, last } = await project.run({ ...bash(code), timeoutSeconds: 1 });
    expect(exitCode).toBe(4);
    expect(last).toMatch(/failed with exit code 137 in \d\.\d s: it did not end within 1 s$/);
    expect(runs(project.read("self"))).toBe(false);
  });

  test("what a hook leaves behind does not outlive it, and nobody waits for it", async () => {
    const ran = await project.run(bash("sleep 50 & echo $! >child"));
    expect(ran.exitCode).toBe(0);
    expect(ran.run!.seconds).toBeLessThan(20);
    await until(() => !runs(project.read("child")), "the child is gone");
  });

  test("its own exit code 124 is no timeout", async () => {
    const { last } = await project.run(bash("echo mine; exit 124"));
    expect(last).toMatch(/failed with exit code 124 in .* s: mine$/);
  });
});

describe("when it is stopped from outside", () => {
  const waiting = bash(`trap 'echo tidied >tidied; exit 0' TERM; echo $$ >self; while :; do sleep 0.1; done`);

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "%s reaches the hook, which may tidy up",
    async (signal) => {
      const running = project.start(waiting);
      await until(() => project.has("self"), "it runs");
      process.kill(running.pid, signal);
      const { exitCode, last } = await running.ended;
      expect(exitCode).toBe(5);
      expect(last).toMatch(/^hook 'smoke' before switch failed with exit code \d+ in .* s: it was stopped$/);
      expect(project.has("tidied")).toBe(true);
    },
  );

  test("and so it ends where Terraform kills the step without a word", async () => {
    const running = project.start(waiting);
    await until(() => project.has("self"), "it runs");
    process.kill(running.pid, "SIGKILL");
    await until(() => project.has("tidied") && !runs(project.read("self")), "the hook tidied up");
  });
});

test("hooks are passed over by one who says why", async () => {
  const env = { BLUEGREEN_SKIP_HOOKS: "the approvals are down\u001b[2J\nhook 'x'" };
  const ran = await project.run(bash("touch ran"), {}, env);
  expect(ran).toMatchObject({
    exitCode: 0,
    stderr: "hook 'smoke' before switch was skipped: the approvals are down\n",
  });
  expect(ran.run).toMatchObject({ exitCode: 0, lastLine: "the approvals are down" });
  expect(project.has("ran")).toBe(false);
});

test("the script never ends with 0 before it knows how the hook ended", async () => {
  const text = readFileSync(SCRIPT, "utf8");
  const short = join(project.folder, "short.sh");
  const lines = text.split("\n");
  const begun = lines.findIndex((line) => line.startsWith("trap 'leave"));
  for (let count = begun + 1; count < lines.length - 1; count += 3) {
    writeFileSync(short, `${lines.slice(0, count).join("\n")}\n`);
    const { exitCode } = await project.run(bash("true"), {}, {}, short);
    expect({ count, failed: exitCode !== 0 }).toEqual({ count, failed: true });
  }
});

test("nothing is left in the folder for temporary files", async () => {
  const TMPDIR = project.folder;
  await project.run(bash("exit 1"), {}, { TMPDIR });
  expect(readdirSync(TMPDIR)).toEqual([]);
});

test("the script is ASCII", () => {
  expect(readFileSync(SCRIPT, "utf8")).toMatch(/^[\n -~]*$/);
});
