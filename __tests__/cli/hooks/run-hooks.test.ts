/** The hooks of a whole release, which the command runs: one before it can refuse it, one after it hears how it ended. */
import { Failure } from "../../../release/failure";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runHooks } from "../../../cli/hooks/run-hooks";
import { SILENT } from "../../../cli/terminal/progress";
import { hookFacts } from "../../../configuration/hook-facts";
import type { HookOutcome } from "../../../configuration/hook-facts";
import { environmentOf, recordOf } from "../../release/examples";

let folder: string;
let notes: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bluegreen-hooks-"));
  notes = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const sh = (code: string) => ["sh", "-c", code];

function run(when: "before release" | "after release", hooks: readonly object[], ended?: HookOutcome) {
  const environment = environmentOf({ hooks: hooks.map((hook) => ({ when, ...hook })) });
  const project = {
    folder,
    environmentFile: "environments/local.json",
    environment,
    synth: ["true"] as const,
  };
  const progress = { ...SILENT, note: (text: string) => notes.push(text) };
  return runHooks(project, when, hookFacts(environment, recordOf(), when, ended), progress);
}

async function refusal(running: Promise<unknown>): Promise<Failure> {
  return running.then(
    () => Promise.reject(new Error("it was let through")),
    (error: unknown) => {
      expect(error).toBeInstanceOf(Failure);
      return error as Failure;
    },
  );
}

test("those before a release run in the order of the file, in the project's folder, and are told of it", async () => {
  const runs = await run("before release", [
    { name: "first", command: sh("cat >facts; echo yes, do") },
    { command: sh("test -s facts") },
  ]);
  expect(runs).toEqual([
    { when: "before release", name: "first", exitCode: 0, seconds: expect.any(Number), lastLine: "yes, do" },
    { when: "before release", name: "2", exitCode: 0, seconds: expect.any(Number), lastLine: "" },
  ]);
  expect(JSON.parse(readFileSync(join(folder, "facts"), "utf8"))).toMatchObject({
    when: "before release",
    release: { id: "2.0.0-2" },
  });
  expect(notes).toEqual([
    "first: yes, do",
    expect.stringMatching(/^hook 'first' before release passed in \d+\.\d s: yes, do$/),
    expect.stringMatching(/^hook '2' before release passed in \d+\.\d s$/),
  ]);
});

test("one that fails before a release refuses it, in one line; the next ones do not run", async () => {
  const hooks = [{ name: "ask", command: sh("echo Friday >&2; exit 9") }, { command: sh("touch ran") }];
  const { message, exitCode } = await refusal(run("before release", hooks));
  expect(exitCode).toBe(3);
  expect(message).toMatch(
    /^hook 'ask' before release failed with exit code 9 in \d+\.\d s: Friday; nothing was changed$/,
  );
  expect(() => readFileSync(join(folder, "ran"))).toThrow();
});

test("those after it hear how it ended, and all of them run, whatever one of them says", async () => {
  const ended = { outcome: "rejected", exitCode: 4, reason: "not healthy", receipt: "receipts/2.json" };
  const hooks = [
    { name: "chat", command: sh("exit 1") },
    { name: "log", command: sh("cat >facts") },
  ];
  const runs = await run("after release", hooks, ended);
  expect(runs.map(({ name, exitCode }) => [name, exitCode])).toEqual([
    ["chat", 1],
    ["log", 0],
  ]);
  expect(JSON.parse(readFileSync(join(folder, "facts"), "utf8"))).toMatchObject(ended);
  expect(notes[0]).toMatch(
    /^hook 'chat' after release failed with exit code 1 in .* s, which stops nothing$/,
  );
});

test("those of another moment, and for another strategy, do not run", async () => {
  const environmentHooks = [
    { when: "after release", command: sh("exit 1") },
    { when: "before switch", command: sh("exit 1") },
    { command: sh("exit 1"), strategies: ["recreate"] },
  ];
  expect(await run("before release", environmentHooks)).toEqual([]);
  expect(await run("before release", [])).toEqual([]);
});
