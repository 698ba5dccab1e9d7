/** A program on a server ends with 0 only if it came to its end and said how: silence is a failure. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";

const folder = mkdtempSync(join(tmpdir(), "bluegreen-result-"));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;

/** @param main the body of the program's main function. */
function run(main: string, stdout: "pipe" | number = "pipe") {
  const outfile = join(folder, `program-${(count += 1)}.js`);
  buildSync({
    stdin: {
      contents: `import { runProgram, printResult } from "./on-server/result";
        runProgram("demo", async () => { ${main} }, (error) => (console.error("demo: " + error.message), error.code ?? 4));`,
      resolveDir: process.cwd(),
      loader: "ts",
    },
    ...{ outfile, bundle: true, platform: "node", logLevel: "silent" },
  });
  const ended = spawnSync(process.execPath, [outfile], {
    encoding: "utf8",
    stdio: ["ignore", stdout, "pipe"],
  });
  return { code: ended.status, stdout: ended.stdout, stderr: ended.stderr };
}

const RESULT = `await printResult({ outcome: "done" });`;
const SILENT = "demo: ended without a result, so it is not known what it did: try again\n";

test("0 is earned by the result line", () => {
  expect(run(`${RESULT} return 0;`)).toEqual({ code: 0, stdout: '{"outcome":"done"}\n', stderr: "" });
});

test.each([
  ["waits for what never comes", "await new Promise(() => undefined); return 0;"],
  [
    "waits for what never comes, and printed its result before",
    `${RESULT} await new Promise(() => undefined);`,
  ],
  ["ends with 0 and tells nothing", "return 0;"],
])("a program that %s ends with 1, and says so", (_, main) => {
  expect(run(main)).toMatchObject({ code: 1, stderr: SILENT });
});

test("a program that is ended from within, before its result, does not end with 0", () => {
  expect(run("process.exit();").code).toBe(1);
});

test("the exit code of a failure is the program's own, with a result and without", () => {
  expect(run("return 3;")).toEqual({ code: 3, stdout: "", stderr: "" });
  expect(run(`${RESULT} return 3;`).code).toBe(3);
  expect(run(`throw new Error("no");`)).toEqual({ code: 4, stdout: "", stderr: "demo: no\n" });
  expect(run(`${RESULT} throw Object.assign(new Error("no"), { code: 0 });`).code).toBe(1);
});

test("a program that has ended does, whatever it left open", () => {
  expect(run(`setInterval(() => undefined, 1000); ${RESULT} return 3;`)).toEqual({
    code: 3,
    stdout: '{"outcome":"done"}\n',
    stderr: "",
  });
});

test("a result that can't be written is none: the disk is full", () => {
  const full = openSync("/dev/full", "w");
  try {
    const { code, stderr } = run(`${RESULT} return 0;`, full);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^the result can't be written: ENOSPC.*\ndemo: ended without a result/),
    });
    expect(run(`${RESULT} return 5;`, full).code).toBe(5);
  } finally {
    closeSync(full);
  }
});
