/** The frame around every script that Azure runs on our Linux machines. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { SETUP_PREFIX } from "../../../configuration/azure/run-commands";
import { until } from "../../../development/testbed/processes";
import { compose, eachTestHasAMachine, FOLDER, script, scriptNames, setUpProxyText } from "./machine";

const machine = eachTestHasAMachine();

const RESULT = '{"step":"test","outcome":"done"}';
/** A step's text that ends with its result line. */
const done = (text: string, files: Readonly<Record<string, string | Buffer>> = {}): string =>
  compose(`${text}echo '${RESULT}'\n`, files);

test("runs the script with its parameters and files, and says so in its last line", async () => {
  const text = `printf '%s|%s|%s|%s|%s\\n' "$SERVER_FOLDER" "$DATA_FOLDER" "$PWD" "$MORE" "$HOME"; cat files/a.txt; command -v ip >/dev/null || true\necho '${RESULT}'\n`;
  const outcome = await machine().run(
    compose(text, { "a.txt": "content\n", "b.bin": Buffer.from([0, 255]) }),
    {
      DATA_FOLDER: "/srv/data",
      MORE: "a b",
    },
  );
  const here = machine().path();
  expect(outcome).toEqual({
    code: 0,
    stderr: "",
    stdout: `${here}|${machine().root}/srv/data|${here}|a b|/root\ncontent\n${RESULT}\nbluegreen: step-1 ended with 0\n`,
  });
  expect(fs.readFileSync(machine().path("files/b.bin"))).toEqual(Buffer.from([0, 255]));
  expect(machine().read("commands/step-1/exit-code")).toBe("0\n");
  expect(machine().read("commands/step-1/script.sh")).toBe(text);
  expect(fs.readdirSync(machine().path("files")).sort()).toEqual(["a.txt", "b.bin"]);
});

test("nothing in a script is evaluated before it runs", async () => {
  const text = "cat <<'END'\n$HOME `id` \\ \"quotes\" 'and' ${x} %{y}\nEND\n";
  expect((await machine().run(done(text))).stdout).toContain("$HOME `id` \\ \"quotes\" 'and' ${x} %{y}\n");
});

test("the script's exit code is the command's and in its last line on stderr, and no line says 0", async () => {
  const outcome = await machine().run(compose("echo out; echo err >&2; exit 4\n"));
  expect(outcome).toEqual({
    code: 4,
    stdout: "out\n",
    stderr: "err\nbluegreen: step-1 ended with 4\n",
  });
  expect(machine().read("commands/step-1/exit-code")).toBe("4\n");
});

test.each<[string, string]>([
  ["nothing at all", "exit 0"],
  ["words", "echo done"],
  ["JSON that is no object with an outcome", `echo '{"step":"test"}'`],
  ["half a result", `printf '%s' '{"step":"test","outcome":"do'`],
  ["a result within another text", `echo '{"said":"{\\\\"outcome\\\\":\\\\"done\\\\"}"}'`],
  ["something after its result", `echo '${RESULT}'; echo 'and more'`],
  ["a result that is too long to be shown", `printf '{"said":"%5000d","outcome":"done"}' 0`],
])("a script that ends with 0 and says %s is not done", async (_, text) => {
  const { code, stdout, stderr } = await machine().run(compose(`${text}\n`));
  expect(code).toBe(1);
  expect(stdout).not.toContain("bluegreen:");
  expect(stderr).toMatch(
    /^step step-1 ended with 0 and without a result, .* commands\/step-1 on proxy-1, then `bluegreen retry`\nbluegreen: step-1 ended with 1\n$/,
  );
  expect(machine().read("commands/step-1/exit-code")).toBe("1\n");
});

test("a set-up without a result is base's, so no retry of a release is advised", async () => {
  const name = `${SETUP_PREFIX}0a1b2c3d4e-1`;
  const { stderr } = await machine().run(compose("exit 0\n"), { STEP_NAME: name });
  expect(stderr).toContain(`commands/${name} on proxy-1, then deploy base again\n`);
});

test.each(['{"outcome":"done"}', '{ "step": "test", "outcome": "done" }', `${RESULT}\\r\\n\\n \\n`])(
  "a result may be spelled as JSON may: %s",
  async (result) => {
    expect((await machine().run(compose(`printf '${result}'\n`))).code).toBe(0);
  },
);

test("of much output the end is shown, and the last line is whole", async () => {
  const { stdout, stderr } = await machine().run(
    compose(`seq 1 5000; printf '%s' '${RESULT}'; seq 1 5000 >&2; printf 'the reason' >&2\n`),
  );
  expect(Buffer.byteLength(stdout)).toBeLessThan(4096);
  expect(stdout).toMatch(/5000\n\{.*\}\nbluegreen: step-1 ended with 0\n$/);
  expect(Buffer.byteLength(stderr)).toBeLessThan(4096);
  expect(stderr).toMatch(/the reason\n$/);
  expect(machine().read("commands/step-1/stdout")).toMatch(/^1\n2\n/);
});

test.each([
  ["through stdin", ["/bin/bash"], ""],
  ["as one argument", ["/bin/bash", "-c"], ""],
  ["as a file of another shell", ["/bin/sh"], "/bin"],
])("it can come %s, without HOME, and with little on PATH", (how, [command, ...argv], folders) => {
  const text = done('echo "$HOME"; command -v setsid >/dev/null\n');
  const { root } = machine();
  fs.writeFileSync(`${root}/text`, text);
  if (how.includes("file")) argv.push(`${root}/text`);
  if (how.includes("argument")) argv.push(text);
  // SHLVL: else bash takes a socket for a login from afar and reads somebody's .bashrc.
  const env = {
    SIM_VM_ROOT: root,
    SERVER_FOLDER: FOLDER,
    SERVER_NAME: "a",
    STEP_NAME: "s",
    PATH: folders,
    SHLVL: "2",
  };
  const { status, stdout, stderr } = spawnSync(command!, argv, {
    env,
    input: text,
    encoding: "utf8",
    cwd: root,
  });
  expect({ status, stdout, stderr }).toEqual({
    status: 0,
    stdout: `/root\n${RESULT}\nbluegreen: s ended with 0\n`,
    stderr: "",
  });
});

test("a text that was cut off anywhere does nothing, and fails", async () => {
  const text = compose(`touch ${machine().root}/ran\n`, { "a.txt": "content" });
  const from = script("run-command.head.sh").length;
  for (let length = from; length < text.length - "  run_step\n  exit\n}\n".length + 3; length += 7) {
    const { code } = await machine().run(text.slice(0, length));
    expect({ length, failed: code !== 0, left: fs.readdirSync(machine().root) }).toEqual({
      ...{ length, failed: true, left: [] },
    });
  }
});

test("SIGTERM, SIGINT and SIGHUP reach the script as one SIGTERM, and its end is waited for", async () => {
  const text = `exec 2>&1; trap 'echo term; sleep 0.3; echo undone; exit 5' TERM; trap 'echo int' INT HUP
touch ready; for ((i = 0; i < 200; i++)); do sleep 0.05; done\n`;
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    const running = machine().start(compose(text));
    await until(() => machine().has("ready"), "it runs");
    process.kill(running.pid, signal);
    process.kill(running.pid, signal);
    expect(await running.done).toEqual({
      code: 5,
      stdout: "term\nundone\n",
      stderr: expect.stringMatching(/^bluegreen: step-\d ended with 5\n$/),
    });
    fs.rmSync(machine().path("ready"));
  }
});

test("what a script leaves running does not keep the command", async () => {
  const before = Date.now();
  expect((await machine().run(done("setsid sleep 60 >/dev/null 2>&1 & echo started\n"))).code).toBe(0);
  expect(Date.now() - before).toBeLessThan(50_000);
});

test("the newest 50 commands are kept", async () => {
  for (let number = 0; number < 60; number += 1) {
    const folder = machine().path("commands", `old-${number}`);
    fs.mkdirSync(folder, { recursive: true });
    fs.utimesSync(folder, 1_000_000 + number, 1_000_000 + number);
  }
  await machine().run(done("true\n"));
  const left = fs.readdirSync(machine().path("commands"));
  expect(left).toHaveLength(50);
  expect(left).toEqual(expect.arrayContaining(["step-1", "old-59", "old-11"]));
  expect(left).not.toContain("old-10");
});

test.each([
  ["STEP_NAME", ["", "../x", "a b", "a/b", "-x", "x".repeat(81), "a\nb"]],
  ["SERVER_NAME", ["", "a b", "$(id)"]],
  ["SERVER_FOLDER", ["", "relative", "/a/../b", "/a b", "/$(id)", '/a"']],
  ["DATA_FOLDER", ["relative", "/a/..", "/a;b"]],
])("a hostile %s is refused before anything is done", async (name, values) => {
  for (const value of values) {
    const { code, stdout, stderr } = await machine().run(compose("touch ran\n"), { [name]: value });
    expect({ value, code, stdout }).toEqual({ value, code: 2, stdout: "" });
    expect(stderr).toMatch(/^run-command: [ -~]+\n$/);
  }
  expect(fs.readdirSync(machine().root)).toEqual([]);
});

test("a delivered file has a plain name and arrives whole, or nothing runs", async () => {
  for (const name of ["../x", "a b", ".hidden", "a/b"]) {
    expect(await machine().run(compose("touch ran\n", { [name]: "x" }))).toMatchObject({
      code: 2,
      stdout: "",
    });
  }
  const damaged = compose("touch ran\n", { "a.txt": "content" }).replace("\nH4sI", "\nH4sJ");
  expect(await machine().run(damaged)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^run-command: the file a\.txt arrived damaged$/m),
  });
  expect(machine().has("ran")).toBe(false);
  expect(machine().has("files/a.txt")).toBe(false);
});

test("base64 may be in lines", async () => {
  const text = compose("cat files/a.txt\n", { "a.txt": "content ".repeat(20) });
  const inLines = text.replace(/^H4sI.*$/m, (line) => line.replaceAll(/.{20}/g, "$&\n"));
  expect((await machine().run(inLines)).stdout).toContain("content content");
});

test("the scripts are ASCII, end with a newline, and hold none of the frame's markers", () => {
  for (const name of scriptNames()) {
    expect({ name, text: script(name) }).toEqual({ name, text: expect.stringMatching(/^[\n -~]*\n$/) });
    const markers = script(name).match(/^BLUEGREEN_(FILE|SCRIPT)$/gm);
    expect({ name, markers }).toEqual({ name, markers: null });
  }
});

test("the longest command fits where it has to: one argument of a Linux process", () => {
  expect(Buffer.byteLength(setUpProxyText())).toBeLessThan(128 * 1024);
});
