/** The house rules that lint holds: who may import whom. */
import { execFileSync } from "node:child_process";

const FORBIDDEN = [
  ["release/x.ts", "../constructs/server"],
  ["release/x.ts", "cdktf"],
  ["release/x.ts", "node:fs"],
  ["release/x.ts", "../system/atomic-file"],
  ["constructs/x.ts", "../stacks/web-stack"],
  ["constructs/local/x.ts", "../../on-server/director/director"],
  ["stacks/x.ts", "../cli/deploy"],
  ["on-server/director/x.ts", "../../constructs/server"],
  ["on-server/director/x.ts", "cdktf"],
  ["cli/x.ts", "../constructs/server"],
  ["cli/x.ts", "../on-server/director/director"],
  ["system/x.ts", "../release/slot"],
  ["main.ts", "@cdktf/provider-azurerm"],
  ["constructs/x.ts", "@cdktf/provider-azurerm"],
] as const;

const ALLOWED = [
  ["release/x.ts", "node:crypto"],
  ["constructs/x.ts", "../release/slot"],
  ["constructs/azure/x.ts", "@cdktf/provider-azurerm/lib/resource-group"],
  ["stacks/x.ts", "../constructs/server"],
  ["on-server/director/x.ts", "../../system/atomic-file"],
  ["cli/x.ts", "../release/slot"],
] as const;

/** ESLint loads its configuration by dynamic import, which jest's sandbox does not do: so in a process of its own. */
const LINT_ALL = `
const { ESLint } = require("eslint");
const cases = JSON.parse(process.argv[1]);
const lint = new ESLint();
Promise.all(cases.map(async ([filePath, imported]) => {
  const code = 'import * as it from "' + imported + '";\\nconsole.log(it);\\n';
  const [{ messages }] = await lint.lintText(code, { filePath });
  return messages.filter(({ ruleId }) => ruleId === "no-restricted-imports").length;
})).then((counts) => console.log(JSON.stringify(counts)));
`;

function complaints(cases: readonly (readonly [string, string])[]): number[] {
  const output = execFileSync(process.execPath, ["-e", LINT_ALL, JSON.stringify(cases)], {
    encoding: "utf8",
  });
  return JSON.parse(output) as number[];
}

test("lint refuses every import that crosses the house the wrong way", () => {
  const counts = complaints(FORBIDDEN);
  expect(FORBIDDEN.filter((_, index) => counts[index] === 0)).toEqual([]);
});

test("lint lets through what the layout allows", () => {
  const counts = complaints(ALLOWED);
  expect(ALLOWED.filter((_, index) => counts[index] !== 0)).toEqual([]);
});
