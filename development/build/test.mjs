/**
 * Runs the rehearsal, which has the machine to itself: it asks what users notice. Then all other tests in three lines of the
 * same length beside each other: those that put proxies under load and what runs on servers, whole releases without load, and
 * the rest, which mostly waits or only computes. The checks (types, lint, format, unused code) run beside them. Closes with
 * the counts. With --long it runs what takes minutes and is left out else; with other arguments it is jest with these.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { setPriority, tmpdir } from "node:os";
import { join, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";

const JEST = createRequire(import.meta.url).resolve("jest/bin/jest");
const ALONE = "__tests__/end-to-end/rehearsal";
const LINES = {
  // A few requests a second, in processes that mostly wait; and what only computes.
  parts: [
    "__tests__/end-to-end/azure",
    "__tests__/cli/(artifact|commands|deployment|ef|hooks|live|measure|migrations|project|receipts|rehearsal|report|setup|terminal)/",
    ...[
      "configuration",
      "constructs",
      "development/testbed",
      "examples",
      "fuzz",
      "release",
      "system",
      "terraform",
    ].map((name) => `__tests__/${name}/`),
    ...["hooks", "local-database"].map((name) => `__tests__/on-server/${name}/`),
  ],
  // Whole releases of which nobody measures what users meet, and what is read and installed beside them.
  releases: [
    "__tests__/upgrade/",
    "__tests__/end-to-end/(artifacts|database-cuts|hooks|life|migrations|pipelines|plan-proof|portable|recover|resolve|two-|watch)",
    ...["documents", "package", "stacks"].map((name) => `__tests__/${name}/`),
  ],
};

/** Minutes each, about what shorter suites look at, too: for whoever works on it, and for a night. */
const LONG = [
  "__tests__/end-to-end/(bad-|by-hand|every-database-cut|heal|interruptions|operator|records)",
  "__tests__/package/cdk-terrain",
  "__tests__/on-server/director/(kill|mutants)",
  "__tests__/on-server/migrate/cuts-everywhere",
  "__tests__/cli/load/(failures|process)",
];

/** What puts proxies under load measures time: the other lines get what it leaves of the processors. */
const BEHIND = 10;
const NAMED_SLOW_SECONDS = 30;
/** A line takes a third of this. One that hangs is ended, and what it was at is said, long before whoever waits gives up. */
const LINE_MINUTES = 45;
const REPEATED_CHARACTERS = 1500;

const given = process.argv.slice(2);
const WATCHED = { stdio: "inherit" };
if (given[0] === "--long") process.exitCode = (await jest([LONG.join("|")], WATCHED)).exitCode;
else process.exitCode = given.length > 0 ? (await jest(given, WATCHED)).exitCode : await runAll();

async function runAll() {
  const folder = mkdtempSync(join(tmpdir(), "bluegreen-test-"));
  try {
    const report = (name) => join(folder, `${name}.json`);
    const ignoring = (patterns) => `--testPathIgnorePatterns=${patterns.join("|")}`;
    const keep = (name) => ["--json", `--outputFile=${report(name)}`];
    const heard = { stdio: ["inherit", "ignore", "inherit"], minutes: LINE_MINUTES };
    const unheard = { stdio: "pipe", priority: BEHIND, minutes: LINE_MINUTES };
    const alone = await jest([ALONE, ...keep("alone")], heard);
    const behind = Object.entries(LINES).map(([name, paths]) =>
      jest([paths.join("|"), ignoring(LONG), ...keep(name)], unheard),
    );
    const checked = start("npm", ["run", "--silent", "check"], unheard);
    const elsewhere = [ALONE, ...LONG, ...Object.values(LINES).flat()];
    const loaded = jest([ignoring(elsewhere), ...keep("loaded")], heard);
    const ended = [alone, ...(await Promise.all([loaded, ...behind, checked]))];
    for (const { said } of ended) process.stderr.write(said);
    const tests = ["alone", "loaded", ...Object.keys(LINES)];
    console.log(
      `lines: ${[...tests, "checks"].map((name, index) => `${name} ${ended[index].seconds} s`).join(", ")}`,
    );
    const counts = tests.map((name, index) => readCounts(report(name), ended[index].exitCode));
    console.log(slowest(counts.flatMap(({ suites }) => suites)));
    const sum = (key) => counts.reduce((total, count) => total + count[key], 0);
    const skipped = sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : "";
    const { exitCode: wrong } = await checked;
    console.log(
      wrong === 0 ? "types, lint, format, unused code: checked" : "FAIL types, lint, format or unused code",
    );
    console.log("not run here: the suites of `npm run test:long`");
    for (const failure of counts.flatMap(({ failures }) => failures)) console.log(failure);
    console.log(`${sum("passed")} passed, ${sum("failed") + (wrong === 0 ? 0 : 1)} failed${skipped}`);
    return Math.max(...ended.map(({ exitCode }) => exitCode));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function jest(args, how) {
  return start(process.execPath, [JEST, ...args], how);
}

/** @param how where its words go, how far behind others it stands, and after how many minutes it is ended, if ever. */
function start(program, args, { stdio, priority = 0, minutes }) {
  const child = spawn(program, args, { stdio });
  setPriority(child.pid, priority);
  const startedAt = performance.now();
  const seconds = () => Math.round((performance.now() - startedAt) / 1000);
  let said = "";
  const streams = [child.stderr, child.stdout].filter((stream) => stream !== null);
  for (const stream of streams) stream.on("data", (data) => (said += data));
  return new Promise((resolve, reject) => {
    const end = () => {
      said += `FAIL after ${minutes} minutes this still ran, and was ended: ${program} ${args.join(" ")}\n${runningNow()}\n`;
      child.kill("SIGKILL");
      for (const stream of streams) stream.destroy();
    };
    const hangs = minutes && setTimeout(end, minutes * 60_000);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(hangs);
      resolve({ exitCode: code ?? 1, said, seconds: seconds() });
    });
  });
}

function runningNow() {
  return spawnSync("ps", ["-e", "--forest", "-o", "pid,etimes,args"], { encoding: "utf8" }).stdout ?? "";
}

function readCounts(file, exitCode) {
  const result = readReport(file);
  if (result === null) {
    const failures = [`FAIL ${file}: jest left no counts`];
    return { passed: 0, failed: 1, skipped: 0, suites: [], failures };
  }
  const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
  const hung = failed === 0 && exitCode !== 0 ? [`FAIL ${file}: its tests passed, but it did not end`] : [];
  return {
    passed: result.numPassedTests,
    failed: failed + hung.length,
    skipped: result.numPendingTests,
    suites: result.testResults.map(({ name, startTime, endTime }) => ({
      name: relative(".", name),
      seconds: Math.round((endTime - startTime) / 1000),
    })),
    failures: [...result.testResults.flatMap(failuresOf), ...hung],
  };
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}

/** Said again at the end, where whoever reads a long output looks; a suite that did not run has no test that failed. */
function failuresOf({ name, status, message, assertionResults }) {
  const failed = assertionResults
    .filter((test) => test.status === "failed")
    .map((test) => ({ test: test.fullName, why: test.failureMessages.join("\n") }));
  if (status === "failed" && failed.length === 0) failed.push({ test: "the suite itself", why: message });
  return failed.map(({ test, why }) => {
    const words = stripVTControlCharacters(why).slice(0, REPEATED_CHARACTERS);
    return `FAIL ${relative(".", name)}: ${test}\n${words.replace(/^/gm, "    ")}`;
  });
}

function slowest(suites) {
  const slow = suites.filter(({ seconds }) => seconds >= NAMED_SLOW_SECONDS);
  const lines = slow
    .sort((one, other) => other.seconds - one.seconds)
    .map(({ name, seconds }) => `  ${seconds} s  ${name}`);
  return [`suites of ${NAMED_SLOW_SECONDS} s and more:`, ...lines].join("\n");
}
