/** What an operator reads where the project's app fails. */
import { lastMessage } from "../../../cli/terraform/synth";

test("an error that nothing caught is its message, not Node's stack and version", () => {
  const output = [
    "/project/main.js:3",
    '  throw new Error("there is no subscription");',
    "        ^",
    "",
    "Error: there is no subscription",
    "    at main (/project/main.js:3:9)",
    "    at Module._compile (node:internal/modules/cjs/loader:1554:14)",
    "",
    "Node.js v20.20.2",
    "",
  ].join("\n");
  expect(lastMessage(output)).toMatch(/Error: there is no subscription$/);
});

test("of an app that explains itself, the last three lines", () => {
  expect(lastMessage("one\ntwo\nthree\nfour\n")).toBe("two three four");
});
