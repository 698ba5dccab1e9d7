/** The frame around every step of the local platform: what it takes for done. (Signals and time: __tests__/end-to-end.) */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const FRAME = resolve("lib/on-server/local/run-command.sh");
const RESULT = '{"step":"test","outcome":"done"}';

let project: string;
beforeEach(() => {
  project = mkdtempSync(join(realpathSync(tmpdir()), "bluegreen-local-"));
  mkdirSync(join(project, "web-1"));
});
afterEach(() => rmSync(project, { recursive: true }));

function run(script: string) {
  const file = join(project, "step.sh");
  writeFileSync(file, script);
  const env = {
    ...process.env,
    ...{
      PROJECT_FOLDER: project,
      SERVER_FOLDER: "web-1",
      COMMAND_SCRIPT: file,
      COMMAND_TIMEOUT_SECONDS: "20",
    },
  };
  const { status, stdout, stderr } = spawnSync("bash", [FRAME, "step-1"], { env, encoding: "utf8" });
  return { code: status, stdout, stderr };
}

const exitCode = () => readFileSync(join(project, "web-1/commands/step-1/exit-code"), "utf8");

test("a step that ends with 0 and its result line is done", () => {
  expect(run(`echo words; echo '${RESULT}'\n`)).toEqual({
    code: 0,
    stdout: `words\n${RESULT}\n`,
    stderr: "",
  });
  expect(exitCode()).toBe("0\n");
});

test.each([
  ["nothing", "exit 0"],
  ["words", "echo done"],
  ["JSON without an outcome", `echo '{"step":"test"}'`],
  ["half a result", `printf '{"step":"test","outcome":"do'`],
  ["something after its result", `echo '${RESULT}'; echo more`],
])("a step that ends with 0 and says %s is not done", (_, script) => {
  const { code, stderr } = run(`${script}\n`);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^step step-1 ended with 0 and without a result, .* commands\/step-1 on web-1, then `bluegreen retry`\n$/,
  );
  expect(exitCode()).toBe("1\n");
});

test("a step that fails keeps its exit code, whatever it said", () => {
  expect(run(`echo '${RESULT}'; exit 4\n`)).toEqual({ code: 4, stdout: `${RESULT}\n`, stderr: "" });
  expect(exitCode()).toBe("4\n");
});
