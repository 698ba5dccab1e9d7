/** Programs for development load built files by name, which no compiler checks. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(__dirname, "../..");
const DEVELOPMENT = join(ROOT, "development");

const programs = readdirSync(DEVELOPMENT, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.(ts|mjs|cjs)$/.test(name) && !name.startsWith("build/"))
  .map((name) => join(DEVELOPMENT, name));

const named = programs.flatMap((program) =>
  [...readFileSync(program, "utf8").matchAll(/\blib(?:\/|\(")([\w./-]+\.js)"/g)].map(([, file]) => file!),
);

test("each of them exists", () => {
  expect(named.length).toBeGreaterThan(5);
  expect([...new Set(named)].filter((file) => !existsSync(join(ROOT, "lib", file)))).toEqual([]);
});
