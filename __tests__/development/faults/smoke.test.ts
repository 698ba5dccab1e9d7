/** The fault matrix itself: two of its cases end as documented, and a run says so. All of it: `npm run faults`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { page } from "../../../development/faults/page";
import { choose, MATRIX } from "../../../development/faults/matrix";
import { together } from "../../../development/faults/results";
import type { Outcome, FaultResults } from "../../../development/faults/results";
import { describeEndToEnd, REPOSITORY } from "../../end-to-end/world";

const folder = mkdtempSync(join(tmpdir(), "bluegreen-faults-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function faults(...args: string[]): Promise<{ exitCode: number; said: string }> {
  const child = spawn(
    join(REPOSITORY, "node_modules/.bin/tsx"),
    [join(REPOSITORY, "development/faults/main.ts"), ...args],
    {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (said += text));
  const [exitCode] = (await once(child, "close")) as [number];
  return { exitCode, said };
}

test("every row says how it is done, and every case how somebody goes on", () => {
  expect(new Set(MATRIX.map(({ name }) => name)).size).toBe(MATRIX.length);
  for (const { how, phases } of MATRIX) {
    expect(how).not.toBe("");
    for (const { exit, goesOn } of Object.values(phases)) {
      expect(exit.length).toBeGreaterThan(0);
      expect(goesOn.length).toBeGreaterThan(0);
    }
  }
});

test("--only takes rows and cases, and refuses what is neither", () => {
  expect(choose("kill-director@shift,port-taken")).toMatchObject([
    { row: { name: "kill-director" }, phases: ["shift"] },
    { row: { name: "port-taken" }, phases: ["before"] },
  ]);
  expect(choose("kill-director@lunch")).toBe('there is no row "kill-director@lunch": --list names them');
});

describeEndToEnd("a run of two cases", () => {
  let results: FaultResults;

  it("ends with 0 where both end as documented, says each in a line, and writes what it met", async () => {
    const file = join(folder, "faults.json");
    const { exitCode, said } = await faults("--only", "kill-director@shift,port-taken", "--json", file);
    expect({ exitCode, said }).toEqual({ exitCode: 0, said: expect.any(String) });
    expect(said).toMatch(/^ok: kill-director@shift: exit 5 \(director: switch was killed/m);
    expect(said).toMatch(/^ok: port-taken@before: exit 3 \(/m);
    expect(said).toContain("2 ended as documented, 0 did not, 0 skipped");
    results = JSON.parse(readFileSync(file, "utf8")) as FaultResults;
    const outcomes = results.rows.flatMap((row) => row.outcomes);
    expect(outcomes.map(({ users }) => [users!.failed, users!.found - users!.acknowledged])).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  it("becomes a page, on which a case that ends otherwise is named, and one played again takes its place", () => {
    const [row] = results.rows;
    const failed: Outcome = { ...row!.outcomes[0]!, status: "failed", broken: ["users get nothing"] };
    const worse: FaultResults = { ...results, rows: [{ ...row!, outcomes: [failed] }] };
    const merged = together(results, worse);
    expect(page(merged)).toContain("* **kill-director@shift**: users get nothing");
    expect(page(merged)).toContain("2 cases: 1 ended as documented, 1 did not, 0 were skipped");
    expect(page(results)).not.toContain("does not end as documented");
    expect(page(together(merged, results))).toBe(page(results));
  });
});
