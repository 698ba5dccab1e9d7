/** The rehearsal as a user starts it: every step as its name says, nobody notices what they should not. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RehearsalResults } from "../../cli/rehearsal/results";
import { processesIn } from "../../development/testbed/processes";

const COMMAND = join(__dirname, "..", "..", "lib", "cli", "main.js");
/** Ten times what it takes on a machine that has nothing else to do. */
const PATIENCE_MS = 900_000;

/** Said aloud where it is not. */
function isInstalled(program: string): boolean {
  const folders = ["/usr/sbin", "/usr/local/sbin", "/usr/bin"];
  const found = folders.some((folder) => existsSync(join(folder, program)));
  if (!found) console.warn(`SKIPPED: the rehearsal with ${program}, which is not installed`);
  return found;
}

function rehearse(
  driver: string,
  folder: string,
): { results: RehearsalResults; output: string; seconds: number } {
  const startedAt = Date.now();
  const file = join(folder, "results.json");
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [COMMAND, "rehearse", "--quick", "--driver", driver, "--json", file],
    {
      cwd: folder,
      encoding: "utf8",
      timeout: PATIENCE_MS,
    },
  );
  const output = `${stderr}${stdout}`;
  // The end of a long output is what says why.
  if (!existsSync(file)) throw new Error(output.slice(-2000));
  const results = JSON.parse(readFileSync(file, "utf8")) as RehearsalResults;
  return { results, output, seconds: (Date.now() - startedAt) / 1000 };
}

/** Each driver has its own tests under load; more rehearsals of a minute each are for whoever works on one. */
function isAskedFor(driver: string): boolean {
  const asked = (process.env["REHEARSE_WITH"] ?? "").split(",").includes(driver);
  if (!asked) console.warn(`SKIPPED: the rehearsal with ${driver}: set REHEARSE_WITH=${driver}`);
  return asked;
}

const HAS_HAPROXY = isInstalled("haproxy");
describe.each([
  ["haproxy", HAS_HAPROXY],
  ["nginx", isAskedFor("nginx") && isInstalled("nginx")],
  ["embedded", !HAS_HAPROXY || isAskedFor("embedded")],
])("a rehearsal with %s", (driver, possible) => {
  const promise = possible ? test : test.skip;

  promise(
    "ends every step as the story says, loses nothing, and leaves no process",
    () => {
      const folder = mkdtempSync(join(tmpdir(), "bluegreen-rehearsal-"));
      try {
        const { results, output } = rehearse(driver, folder);
        expect(
          results.steps.flatMap(({ name, broken }) => broken.map((words) => `${name}: ${words}`)),
        ).toEqual([]);
        expect(results).toMatchObject({ formatVersion: 1, driver, passed: true });
        expect(results.totals.found).toBe(results.totals.acknowledged);
        expect(results.totals.acknowledged).toBeGreaterThan(100);
        expect(output).toContain("passed");
        // What each version wrote outlived every release and rollback, and two changes of the schema.
        expect(output).toMatch(/rows: (\d+) written, \1 found/);
        expect(output).toContain("0004-contract-goal-author.sql waits until");

        // Users fill in forms all the while: none loses a session without having to move, and a recreate costs some.
        const lostIn = (recreates: boolean) =>
          results.steps
            .filter(({ outcome, mayLoseSessions }) =>
              recreates ? outcome === "recreated" : mayLoseSessions === false,
            )
            .reduce((lost, { requests }) => lost + (requests.sessions?.lost ?? 0), 0);
        expect(lostIn(false)).toBe(0);
        expect(lostIn(true)).toBeGreaterThan(0);
        const { begun, completed, lost } = results.totals.sessions!;
        expect(completed).toBeGreaterThan(50);
        expect(output).toContain(`; sessions in memory: ${begun} begun, ${lost} lost\n`);

        const outcomes = results.steps.map(({ outcome }) => outcome);
        for (const outcome of [
          "installed",
          "promoted",
          "rejected",
          "rolledBack",
          "paused",
          "staged",
          "recreated",
        ]) {
          expect(outcomes).toContain(outcome);
        }
        const served = results.steps.flatMap(({ requests }) => Object.keys(requests.versions));
        expect(served.some((id) => id.startsWith("1.2.0-"))).toBe(false);
        // Every scenario has its course, and the file for people says what the JSON says.
        for (const { slots, timeline } of results.scenarios) {
          const answered = timeline.flatMap(({ versions }) => Object.keys(versions));
          expect(Object.keys(slots)).toEqual(expect.arrayContaining([...new Set(answered)]));
          expect(answered.length).toBeGreaterThan(5);
        }
        expect(output).toContain("report: .bluegreen/rehearsal/report.html");
        const report = readFileSync(join(folder, ".bluegreen/rehearsal/report.html"), "utf8");
        expect(report).toContain("Users noticed");
        expect(report).toContain("Lost sessions");
        expect(report.match(/<svg/g)!.length).toBeGreaterThanOrEqual(8);
        expect(processesIn(folder)).toEqual([]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    PATIENCE_MS,
  );
});
