/**
 * Which of the public rules for Azure base obeys. Each claim of docs/azure-rules.md is evaluated on what is synthesized,
 * and the page and the list name the same rules with the same result.
 */
import { readFileSync } from "node:fs";
import type { AzureEnvironment } from "../../configuration/environment";
import { parseEnvironment } from "../../configuration/environment-file";
import { requireAzure } from "../../configuration/platform";
import { baseOf, shipped } from "./azure";
import { CHECKOV } from "./public-rules/checkov";
import type { PublicRule } from "./public-rules/rule";
import { TRIVY } from "./public-rules/trivy";

const RULES = [...CHECKOV, ...TRIVY];
const SHIPPED = [shipped("azure-linux"), shipped("azure-socialgoal")];

/** The verdicts of the environments that have what the rule is about. */
function verdicts({ holds }: PublicRule): boolean[] {
  return SHIPPED.map((environment) => holds(baseOf(environment))).filter((verdict) => verdict !== undefined);
}

const claimed = (...claims: readonly unknown[]) =>
  RULES.filter(({ claim }) => claims.includes(typeof claim === "string" ? claim : "setting")).map(
    (rule) => [rule.id, rule] as const,
  );

test.each(claimed("passed", "false alarm"))("%s is obeyed", (_, rule) => {
  const all = verdicts(rule);
  expect(all.length).toBeGreaterThan(0);
  expect(all).not.toContain(false);
});

test.each(claimed("not passed"))("%s is not obeyed, or the page should say that it is", (_, rule) => {
  expect(verdicts(rule)).toContain(false);
});

/** The environment of SocialGoal with a setting in `platform`, or in `platform.database`. */
function changed(platform: object): AzureEnvironment {
  const file = "environments/azure-socialgoal.json";
  const content = JSON.parse(readFileSync(file, "utf8")) as { platform: Record<string, object> };
  for (const [key, value] of Object.entries(platform)) {
    content.platform[key] = { ...content.platform[key], ...(value as object) };
  }
  return requireAzure(parseEnvironment(JSON.stringify(content), file));
}

test.each(claimed("setting"))("%s is obeyed with its setting, and not without", (_, rule) => {
  const { claim, holds } = rule;
  if (typeof claim === "string") throw new Error("no setting");
  expect(verdicts(rule)).toContain(false);
  expect(holds(baseOf(changed(claim.platform)))).toBe(true);
});

/** The table's rows: a rule's id, and its result's first words. */
function rows(): [string, string][] {
  const page = readFileSync("docs/azure-rules.md", "utf8");
  const found = page.matchAll(/^\| ((?:CKV2?_AZURE_|AZU-)\d+) \| [^|]+ \| ([^|]+) \|$/gm);
  return [...found].map(([, id, result]) => [id!, result!]);
}

test("the page has every rule once, and no other", () => {
  const ids = RULES.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(rows().map(([id]) => id)).toEqual(ids);
});

test.each(RULES.map((rule) => [rule.id, rule] as const))(
  "the page has the result of %s",
  (_, { id, claim }) => {
    const result = new Map(rows()).get(id);
    if (claim === "passed") expect(result).toMatch(/^passed(,|$)/);
    else if (claim === "false alarm") expect(result).toMatch(/^passed, but reported: /);
    else if (claim === "not passed") expect(result).toMatch(/^\*\*not passed\*\*: ./);
    else
      expect(result).toMatch(
        new RegExp(`^\\*\\*setting\\*\\* \`${claim.setting.replaceAll(".", "\\.")}\`: .`),
      );
  },
);
