/** `bluegreen report` as a person starts it. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LEAST } from "../../release/examples";
import { receiptOf, usersEntry } from "./examples";

const COMMAND = join(__dirname, "../../../lib/cli/main.js");

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bluegreen-report-"));
  writeFileSync(join(folder, "2.json"), JSON.stringify(receiptOf()));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const report = (args: readonly string[], input = "") => bluegreen(["report", ...args], input);

function bluegreen(args: readonly string[], input = "") {
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...args], {
    cwd: folder,
    encoding: "utf8",
    input,
  });
  return { status, stdout, stderr };
}

const read = (name: string): string => readFileSync(join(folder, name), "utf8");

test("it writes the report beside the receipt, charts and all, and says where", () => {
  expect(report(["2.json"])).toEqual({ status: 0, stdout: "2.html\n", stderr: "" });
  expect(read("2.html")).toContain(
    "<h1>None of 13,800 measured requests failed; users&#39; answers were not counted.</h1>",
  );
  expect(read("2.html")).toContain("<svg");
});

test("a record's sequence is looked up in the environment's receipts; none is the newest", () => {
  const receipts = join(folder, ".bluegreen/production/receipts");
  mkdirSync(receipts, { recursive: true });
  for (const sequence of [2, 10]) {
    writeFileSync(join(receipts, `${sequence}.json`), JSON.stringify(receiptOf({ sequence })));
  }
  mkdirSync(join(folder, "environments"));
  const environment = { ...LEAST, name: "production" };
  writeFileSync(join(folder, "environments/local.json"), JSON.stringify(environment));
  expect(report([])).toMatchObject({ status: 0, stdout: `${join(receipts, "10.html")}\n` });
  expect(report(["2", "--output", "two.html"])).toMatchObject({ status: 0, stdout: "two.html\n" });
  expect(read("two.html")).toContain("sequence 2");
  expect(report(["3"])).toMatchObject({ status: 2, stderr: expect.stringMatching(/no receipt of record 3/) });
});

test("what `bluegreen measure` wrote has a report of its own", () => {
  const receipt = {
    formatVersion: 1,
    action: "measure",
    application: null,
    environment: null,
    who: receiptOf().who,
    command: ["./deploy.sh", "<b>"],
    startedAt: "2026-11-25T10:00:00.000Z",
    endedAt: "2026-11-25T10:00:12.000Z",
    seconds: 12,
    commandExitCode: 0,
    allowedFailures: 0,
    outcome: "noticed",
    exitCode: 1,
    reason: "3 of 600 requests failed (3 status 503), longest gap 900 ms; none is allowed",
    requests: { ...receiptOf().requests!, sent: 600, failed: 3, failures: { "status 503": 3 } },
    notMeasured: null,
  };
  writeFileSync(join(folder, "measured.json"), JSON.stringify(receipt));
  expect(report(["measured.json"])).toMatchObject({ status: 0, stdout: "measured.html\n" });
  const page = read("measured.html");
  expect(page).toContain("<h1>3 of 600 requests failed.</h1>");
  expect(page).toContain("<code>./deploy.sh &lt;b&gt;</code>");
  expect(page).toContain("<svg");
  writeFileSync(join(folder, "bad.json"), JSON.stringify({ ...receipt, command: [] }));
  expect(report(["bad.json"])).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/bad\.json: command/),
  });
});

test("--output says where else", () => {
  const proxies = [{ proxy: "proxy-1", journal: [usersEntry()] }];
  writeFileSync(join(folder, "2.json"), JSON.stringify(receiptOf({ proxies })));
  expect(report(["2.json", "--output", "other.html"])).toMatchObject({ status: 0, stdout: "other.html\n" });
  expect(read("other.html")).toContain("<h1>Users noticed nothing.</h1>");
});

test("with - it goes from stdin to stdout", () => {
  const { status, stdout } = report(["-"], JSON.stringify(receiptOf({ action: "heal" })));
  expect(status).toBe(0);
  expect(stdout).toContain("socialgoal, production: heal, sequence 2");
  expect(report(["2.json", "--output", "-"]).stdout).toMatch(/^<!doctype html>/);
});

describe("it refuses with exit code 2, in one line, and writes nothing:", () => {
  test.each([
    ["a file that is not there", "missing.json", undefined, "missing.json cannot be read"],
    ["a file that is not JSON", "bad.json", "<html>", "bad.json is not JSON"],
    ["a file that is no receipt", "bad.json", `{"formatVersion": 1}`, "bad.json: application must be"],
    [
      "a receipt of another format",
      "bad.json",
      JSON.stringify({ ...receiptOf(), formatVersion: 2 }),
      "formatVersion must be 1",
    ],
    [
      "a receipt with an unknown field",
      "bad.json",
      JSON.stringify({ ...receiptOf(), more: 1 }),
      `unknown field "more"`,
    ],
    ["a folder", ".", undefined, ". cannot be read"],
  ])("%s", (_, file, content, words) => {
    if (content !== undefined) writeFileSync(join(folder, file), content);
    const { status, stderr, stdout } = report([file]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(words);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(existsSync(join(folder, "bad.html"))).toBe(false);
  });

  test("to write onto the receipt itself", () => {
    const before = read("2.json");
    expect(report(["2.json", "--output", "./2.json"])).toMatchObject({ status: 2 });
    expect(read("2.json")).toBe(before);
  });

  test("to write into a folder that is not there", () => {
    expect(report(["2.json", "--output", "none/2.html"])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("none/2.html can't be written") as string,
    });
  });
});

test.each([
  ["--report", "none/report.html", "the folder none does not exist"],
  ["--json", "none/results.json", "the folder none does not exist"],
  ["--report", ".", "is a folder"],
])("a rehearsal refuses %s %s before it begins", (option, file, words) => {
  const { status, stderr, stdout } = bluegreen(["rehearse", option, file]);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain(words);
  expect(existsSync(join(folder, ".bluegreen"))).toBe(false);
});
