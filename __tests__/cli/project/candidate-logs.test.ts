/** What a candidate's instances wrote in a sequence, for a failure's last lines. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { followLogs } from "../../../cli/project/candidate-logs";
import type { Project } from "../../../cli/project/project";
import { environmentOf, recordOf } from "../../release/examples";

const logOf = (server: string) => `.bluegreen/local/servers/${server}/logs/green.log`;
const [ONE, TWO] = [logOf("web-1"), logOf("web-2")];

let project: Project;
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "bluegreen-logs-"));
  project = { folder, environmentFile: "x.json", environment: environmentOf(), synth: ["true"] };
});
afterEach(() => rmSync(project.folder, { recursive: true }));

function write(log: string, text: string): void {
  mkdirSync(join(project.folder, log, ".."), { recursive: true });
  appendFileSync(join(project.folder, log), text);
}

test("only what was written since counts, the last five lines of each log", () => {
  write(ONE, "an earlier release\nended\n");
  const lastLines = followLogs(project, recordOf());
  expect(lastLines()).toEqual([]);
  write(ONE, "1\n2\n\n3\n4\n5\n6\n");
  write(TWO, "listening\n");
  expect(lastLines()).toEqual([
    { log: ONE, lines: ["2", "3", "4", "5", "6"] },
    { log: TWO, lines: ["listening"] },
  ]);
});

test("a line can't move a terminal's cursor, and is not endless", () => {
  const lastLines = followLogs(project, recordOf());
  write(ONE, `${"begun\n".repeat(5_000)}${"x".repeat(300)}\n\u001b[2Jno such table\u001b[31m\n`);
  expect(lastLines()[0]!.lines.slice(-2)).toEqual([`${"x".repeat(200)}...`, "[2Jno such table [31m"]);
});

test("a log that was shortened since is new", () => {
  write(ONE, "old\n".repeat(100));
  const lastLines = followLogs(project, recordOf());
  writeFileSync(join(project.folder, ONE), "new\n");
  expect(lastLines()).toEqual([{ log: ONE, lines: ["new"] }]);
});
