/** What a director is told, changed by somebody: refused in one line with exit code 2, and nothing is written. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as fc from "fast-check";
import * as z from "zod/mini";
import { DirectorSpec, directorSpec, encodeSpec } from "../../configuration/director-spec";
import { environments, records } from "../release/arbitraries";
import { damaged, expectOneLine, hostileText, mutated, runs } from "./hostile";

const PROGRAMS = resolve("lib/on-server");

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "bluegreen-fuzz-"))));
afterAll(() => rmSync(folder, { recursive: true }));

const specs = fc
  .tuple(environments, records)
  .map(([environment, record]) => directorSpec(environment, record, 0));

const asBase64 = (text: string): string => Buffer.from(text).toString("base64");

/** Not the director's: another document, no JSON, no base64, nothing. */
const refused = fc.oneof(
  mutated(specs)
    .filter((spec) => !z.safeParse(DirectorSpec, spec).success)
    .map((spec) => asBase64(JSON.stringify(spec))),
  damaged(specs.map((spec) => JSON.stringify(spec)))
    .filter((text) => !isSpec(text))
    .map(asBase64),
  damaged(specs.map(encodeSpec)).filter(
    (text) => !text.includes("\0") && !isSpec(Buffer.from(text, "base64").toString()),
  ),
  fc.constantFrom("", "=", asBase64("null"), asBase64("[".repeat(20_000)), asBase64("9".repeat(400))),
);

function isSpec(text: string): boolean {
  try {
    return z.safeParse(DirectorSpec, JSON.parse(text)).success;
  } catch {
    return false;
  }
}

function run(
  program: string,
  args: readonly string[],
): { exitCode: number | null; said: string; stdout: string } {
  const { status, stderr, stdout } = spawnSync(process.execPath, [join(PROGRAMS, program), ...args], {
    cwd: folder,
    encoding: "utf8",
  });
  return { exitCode: status, said: stderr, stdout };
}

const steps = fc.constantFrom("begin", "switch", "share", "abort", "status", "configure");

test("the built director refuses it in one line", () => {
  fc.assert(
    fc.property(steps, refused, (step, spec) => {
      const { exitCode, said, stdout } = run("director.js", [step, `--spec=${spec}`, "--folder", folder]);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      expectOneLine(said.replace(/\n$/, ""));
      expect(readdirSync(folder)).toEqual([]);
    }),
    runs(0.1),
  );
});

test("the built director refuses other arguments in one line", () => {
  const args = fc.array(
    fc.oneof(
      hostileText.filter((text) => !text.includes("\0")),
      fc.constantFrom("begin", "status", "--spec", "--folder", "--spec=e30=", "--folder=/nowhere"),
    ),
    { maxLength: 5 },
  );
  fc.assert(
    fc.property(
      args.filter((words) => !words.includes("--help")),
      (words) => {
        const { exitCode, said, stdout } = run("director.js", words);
        expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
        expectOneLine(said.replace(/\n$/, ""));
      },
    ),
    runs(0.05),
  );
});

test("a folder that is not there", () => {
  fc.assert(
    fc.property(specs, (spec) => {
      const { exitCode, said } = run("director.js", [
        "status",
        "--spec",
        encodeSpec(spec),
        "--folder",
        join(folder, "a\nb"),
      ]);
      expect(exitCode).toBe(2);
      expectOneLine(said.replace(/\n$/, ""));
    }),
    { numRuns: 1 },
  );
});

test("the built migrator refuses it in one line, and a line of JSON", () => {
  const args = fc.oneof(
    refused.map((spec) => ["run", `--spec=${spec}`, "--folder", join(folder, "m")]),
    fc.array(
      hostileText.filter((text) => !text.includes("\0")),
      { maxLength: 4 },
    ),
  );
  fc.assert(
    fc.property(
      args.filter((words) => !words.some((word) => /^(--help|-h.*)$/.test(word))),
      (words) => {
        const { exitCode, said, stdout } = run("migrate.js", words);
        expect(exitCode).toBe(2);
        expectOneLine(said.replace(/\n$/, ""));
        expect(JSON.parse(stdout)).toMatchObject({ outcome: "refused", exitCode: 2 });
        rmSync(join(folder, "m"), { recursive: true, force: true });
      },
    ),
    runs(0.05),
  );
});
