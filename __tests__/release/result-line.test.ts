/** A server program's result line is found in all forms in which Terraform and Azure pass it on. */
import * as z from "zod/mini";
import { readHookRun } from "../../release/hook-run";
import { InstallResult, readResultLine, ResultLine } from "../../release/result-line";

const DONE = '{"step":"install","releaseId":"1.0.0-1","outcome":"installed","seconds":1.2}';

test.each([
  ["alone", DONE],
  ["with an end", `${DONE}\n`],
  ["after other output", `words\n{"outcome":1}\n${DONE}\n`],
  ["before stderr, as Terraform has it", `${DONE}\ninstall: words\n`],
  ["before a line that was cut", `${DONE}\n{"outcome":"do`],
  ["before the frame's last line", `${DONE}\nbluegreen: step-1 ended with 0\n`],
])("a result line %s is read", (_, output) => {
  expect(readResultLine(ResultLine, output)).toEqual({ outcome: "installed" });
  expect(readResultLine(InstallResult, output)).toMatchObject({ releaseId: "1.0.0-1", seconds: 1.2 });
});

test("the last one counts, and only one of the wanted kind", () => {
  const failed = '{"step":"install","outcome":"failed","exitCode":4,"reason":"no"}';
  expect(readResultLine(ResultLine, `${DONE}\n${failed}`)).toEqual({
    ...{ outcome: "failed", exitCode: 4, reason: "no" },
  });
  expect(readResultLine(InstallResult, `${DONE}\n${failed}`)).toMatchObject({ releaseId: "1.0.0-1" });
});

test.each(["", "words", `log: ${DONE}`, '{"outcome":', "{}", "[1]", '{"outcome":null}'])(
  "%j has none",
  (output) => {
    expect(readResultLine(z.object({ outcome: z.string() }), output)).toBeNull();
  },
);

const HOOK = {
  step: "hook",
  name: "smoke",
  when: "before switch",
  exitCode: 7,
  seconds: 0.1,
  lastLine: "no",
};

test("a hook's end is read, with its sentence", () => {
  const { step: _, ...run } = HOOK;
  const line = JSON.stringify({ ...HOOK, outcome: "failed", reason: "hook 'smoke' failed" });
  expect(readHookRun(line)).toEqual({ run, reason: "hook 'smoke' failed" });
});

test.each([
  "hook 'smoke' before switch passed in 0.4 s",
  `smoke: ${JSON.stringify({ ...HOOK, reason: "" })}`,
  JSON.stringify({ ...HOOK, step: "install", reason: "" }),
  JSON.stringify(HOOK),
  "",
])("%j is no hook's end", (line) => expect(readHookRun(line)).toBeNull());
