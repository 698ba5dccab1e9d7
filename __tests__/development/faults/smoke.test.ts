/** What users meet when a release breaks: two cases of the fault matrix. All of them: `npm run faults`. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FaultResults } from "../../../development/faults/results";
import { describeEndToEnd, REPOSITORY } from "../../end-to-end/world";
import { follow } from "../../../development/testbed/processes";

const folder = mkdtempSync(join(tmpdir(), "bluegreen-faults-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function faults(...args: string[]): Promise<{ exitCode: number | null; said: string }> {
  const child = spawn(
    join(REPOSITORY, "node_modules/.bin/tsx"),
    [join(REPOSITORY, "development/faults/main.ts"), ...args],
    {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const { exitCode, stdout, stderr } = await follow(child).ended;
  return { exitCode, said: stdout + stderr };
}

describeEndToEnd("a director killed while it shifts, and a port that is taken", () => {
  it("end as documented: with its exit code, its message, and no request of a user lost", async () => {
    const file = join(folder, "faults.json");
    const { exitCode, said } = await faults("--only", "kill-director@shift,port-taken", "--json", file);
    expect({ exitCode, said }).toEqual({ exitCode: 0, said: expect.any(String) });
    expect(said).toMatch(/^ok: kill-director@shift: exit 5 \(director: switch was killed/m);
    expect(said).toMatch(/^ok: port-taken@before: exit 3 \(/m);
    expect(said).toContain("2 ended as documented, 0 did not, 0 skipped");
    const { rows } = JSON.parse(readFileSync(file, "utf8")) as FaultResults;
    const outcomes = rows.flatMap((row) => row.outcomes);
    expect(outcomes.map(({ users }) => [users!.failed, users!.found - users!.acknowledged])).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });
});
