/** Exit codes are public: the documents, the help and pipelines name them by number. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { EXIT, failureCode } from "../../release/exit-code";

test("keep their numbers", () => {
  expect(EXIT).toEqual({
    done: 0,
    unexpected: 1,
    badInput: 2,
    refused: 3,
    rejected: 4,
    aborted: 5,
    frozen: 6,
  });
});

test("are all explained in docs/commands.md, and no other is", () => {
  const text = readFileSync(join(__dirname, "../../docs/commands.md"), "utf8");
  const section = text.split("\n## Exit codes\n")[1]!.split("\n## ")[0]!;
  const rows = [...section.matchAll(/^\| (\d+) \| (\w+)/gm)].map(([, code, word]) => [Number(code), word]);
  expect(rows).toEqual([
    [EXIT.done, "done"],
    [EXIT.unexpected, "unexpected"],
    [EXIT.badInput, "bad"],
    [EXIT.refused, "refused"],
    [EXIT.rejected, "candidate"],
    [EXIT.aborted, "aborted"],
    [EXIT.frozen, "frozen"],
  ]);
});

test.each([EXIT.unexpected, EXIT.badInput, EXIT.refused, EXIT.rejected, EXIT.aborted, EXIT.frozen])(
  "say why a step failed: %d stays",
  (code) => {
    expect(failureCode(code)).toBe(code);
  },
);

test.each([0, 7, 127, 137, -1, NaN])("%d of a failed step gives no reason: unexpected", (code) => {
  expect(failureCode(code)).toBe(EXIT.unexpected);
});
