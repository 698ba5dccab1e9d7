/**
 * Runs the rehearsal alone, because it measures what users notice. Then all other tests in three parallel groups of the same
 * length: those under load, whole releases without load, and the rest, which mostly waits or computes. The checks (types,
 * lint, format, unused code) run in parallel. The counts come last. Suites that fail are run once more, each alone: what
 * passes then depends on the load, and is listed as unstable with its first failure; what fails again has failed. With
 * TEST_MINUTES in the environment bounds a run: suites that would begin later are skipped, and listed. With
 * --long it runs the suites that take minutes, which are left out otherwise; with other arguments it runs jest with these.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { setPriority, tmpdir } from "node:os";
import { join, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";

const JEST = createRequire(import.meta.url).resolve("jest/bin/jest");
const ALONE = "__tests__/end-to-end/rehearsal";
const GROUPS = {
  // A few requests a second, in processes that mostly wait; and tests that only compute.
  parts: [
    "__tests__/end-to-end/azure",
    "__tests__/cli/(artifact|commands|deployment|ef|hooks|live|measure|migrations|project|receipts|rehearsal|report|setup|terminal)/",
    ...[
      "configuration",
      "constructs",
      "development/(simulation|testbed)",
      "examples",
      "fuzz",
      "release",
      "system",
      "terraform",
    ].map((name) => `__tests__/${name}[/.]`),
    ...["hooks", "local-database", "install/(both-installers|windows-)"].map(
      (name) => `__tests__/on-server/${name}`,
    ),
    // In a simulated world.
    "__tests__/on-server/director/(.*[.]property|re-entry|steps/)",
  ],
  // Whole releases without a measurement of users' requests, documents and packages.
  releases: [
    "__tests__/upgrade/",
    "__tests__/end-to-end/(artifacts|at-rest|database-cuts|environment|grpc|hooks|life|migrations|pipelines|plan-proof|platform-user|portable|proxy-settings|recover|resolve|rights|two-|watch)",
    ...["documents", "package", "stacks"].map((name) => `__tests__/${name}/`),
  ],
};

/**
 * Minutes each, and about the same as shorter suites: for nightly runs, and for work on these parts. Besides what takes long
 * by itself, whole stories whose parts have suites of their own, and the real EF Core, Chromium and accounts of a machine.
 */
const LONG = [
  `__tests__/end-to-end/(${[
    ...["affinity", "azure-versions", "bad-", "break-glass", "by-hand", "chance-", "draining"],
    ...["every-database-cut", "grpc-", "harmful-steps", "heal", "interruptions", "life", "operator"],
    ...[
      "pipelines",
      "plan-proof",
      "platform-user",
      "records",
      "resolve",
      "same-pages",
      "sessions",
      "two-proxies-restored",
    ],
  ].join("|")})`,
  "__tests__/package/cdk-terrain",
  "__tests__/on-server/director/(affinity-browser|affinity-memory|kill|mutants)",
  "__tests__/on-server/local/exchanged-proxy",
  "__tests__/on-server/migrate/cuts-everywhere",
  "__tests__/cli/artifact/many-files",
  "__tests__/cli/ef/ef-core",
  "__tests__/cli/load/(failures|process)",
];

/** Tests under load measure time: the other groups run with a lower priority. */
const LOW_PRIORITY = 10;
const NAMED_SLOW_SECONDS = 30;
/** Twice what a group takes. A group that hangs is killed, and its processes are listed. */
const GROUP_MINUTES = 75;
const REPEATED_CHARACTERS = 1500;
/** If more suites fail, it is not the load. */
const MOST_REPEATED_SUITES = 10;
const REPEAT_MINUTES = 10;
/** Of the time limit: what the last suites and the repetitions may take longer. */
const LATE_FACTOR = 1.3;

const startedAt = Date.now();
const minutes = Number(process.env.TEST_MINUTES ?? Infinity);
const isLate = () => Date.now() > startedAt + LATE_FACTOR * minutes * 60_000;
if (minutes < Infinity) process.env.TEST_DEADLINE = String(startedAt + minutes * 60_000);

const given = process.argv.slice(2);
const VISIBLE = { stdio: "inherit" };
if (given[0] === "--long") process.exitCode = (await jest([LONG.join("|")], VISIBLE)).exitCode;
else process.exitCode = given.length > 0 ? (await jest(given, VISIBLE)).exitCode : await runAll();

async function runAll() {
  const folder = mkdtempSync(join(tmpdir(), "bluegreen-test-"));
  try {
    const report = (name) => join(folder, `${name}.json`);
    const ignoring = (patterns) => `--testPathIgnorePatterns=${patterns.join("|")}`;
    const keep = (name) => ["--json", `--outputFile=${report(name)}`];
    const foreground = { stdio: ["inherit", "ignore", "inherit"], minutes: GROUP_MINUTES };
    const background = { stdio: "pipe", priority: LOW_PRIORITY, minutes: GROUP_MINUTES };
    const alone = await jest([ALONE, ...keep("alone")], foreground);
    const groups = Object.entries(GROUPS).map(([name, paths]) =>
      jest([paths.join("|"), ignoring(LONG), ...keep(name)], background),
    );
    const checked = start("npm", ["run", "--silent", "check"], background);
    const elsewhere = [ALONE, ...LONG, ...Object.values(GROUPS).flat()];
    const loaded = jest([ignoring(elsewhere), ...keep("loaded")], foreground);
    const ended = [alone, ...(await Promise.all([loaded, ...groups, checked]))];
    for (const { output } of ended) process.stderr.write(output);
    const tests = ["alone", "loaded", ...Object.keys(GROUPS)];
    console.log(
      `lines: ${[...tests, "checks"].map((name, index) => `${name} ${ended[index].seconds} s`).join(", ")}`,
    );
    const first = tests.flatMap((name, index) => readSuites(report(name), ended[index].exitCode));
    console.log(slowest(first));
    delete process.env.TEST_DEADLINE;
    const failing = first.filter(({ failed }) => failed > 0);
    const again = await repeat(failing, (index) => report(`again-${index}`));
    const suites = first.map((suite) => again.get(suite) ?? suite);
    const sum = (key) => suites.reduce((total, suite) => total + suite[key], 0);
    const skipped = sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : "";
    const { exitCode: wrong } = await checked;
    const failed = sum("failed") + (wrong === 0 ? 0 : 1);
    console.log(
      wrong === 0 ? "types, lint, format, unused code: checked" : "FAIL types, lint, format or unused code",
    );
    const onWindows = suites.filter(({ name }) => /install.(both-installers|windows-)/.test(name ?? ""));
    const cases = (key) => onWindows.reduce((total, suite) => total + suite[key], 0);
    console.log(
      `Windows scripts in PowerShell, and the table of both installers: ${cases("passed")} passed, ${cases("skipped")} skipped`,
    );
    const notRun = suites.filter(({ isNotRun }) => isNotRun);
    if (notRun.length > 0) {
      console.log(`SKIPPED, not run within ${minutes} minutes: ${notRun.map(({ name }) => name).join(" ")}`);
    }
    console.log("not run here: the suites of `npm run test:long`");
    const unstable = failing.filter((suite) => again.get(suite)?.failed === 0);
    for (const failure of unstable.flatMap(({ failures }) => failures)) console.log(`UNSTABLE ${failure}`);
    for (const failure of suites.flatMap(({ failures }) => failures)) console.log(`FAIL ${failure}`);
    console.log(`${sum("passed")} passed, ${failed} failed${skipped}`);
    return failed === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function jest(args, options) {
  return start(process.execPath, [JEST, ...args], options);
}

/** @param priority as for `nice`. @param minutes after which the program is killed; never without it. */
function start(program, args, { stdio, priority = 0, minutes }) {
  const child = spawn(program, args, { stdio });
  setPriority(child.pid, priority);
  const startedAt = performance.now();
  const seconds = () => Math.round((performance.now() - startedAt) / 1000);
  let output = "";
  const streams = [child.stderr, child.stdout].filter((stream) => stream !== null);
  for (const stream of streams) stream.on("data", (data) => (output += data));
  return new Promise((resolve, reject) => {
    const end = () => {
      output += `FAIL killed after ${minutes} minutes: ${program} ${args.join(" ")}\n${runningNow()}\n`;
      child.kill("SIGKILL");
      for (const stream of streams) stream.destroy();
    };
    const hangs = minutes && setTimeout(end, minutes * 60_000);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(hangs);
      resolve({ exitCode: code ?? 1, output, seconds: seconds() });
    });
  });
}

function runningNow() {
  return spawnSync("ps", ["-e", "--forest", "-o", "pid,etimes,args"], { encoding: "utf8" }).stdout ?? "";
}

/** @returns the second results of the suites, by the first ones. */
async function repeat(failing, report) {
  const again = new Map();
  if (failing.length > MOST_REPEATED_SUITES) return again;
  for (const [index, suite] of failing.entries()) {
    if (suite.name === null || isLate()) continue;
    const file = report(index);
    const args = ["--runInBand", "--runTestsByPath", suite.name, "--json", `--outputFile=${file}`];
    console.log(`once more, alone: ${suite.name}`);
    const { exitCode } = await jest(args, {
      stdio: ["inherit", "ignore", "inherit"],
      minutes: REPEAT_MINUTES,
    });
    const [result, ...others] = readSuites(file, exitCode);
    if (result !== undefined && others.length === 0) again.set(suite, result);
  }
  return again;
}

/** @returns an entry without a name for what is no suite's failure. */
function readSuites(file, exitCode) {
  const result = readReport(file);
  const nameless = (failure) => ({
    ...{ name: null, seconds: 0, passed: 0, failed: 1, skipped: 0 },
    failures: [`${file}: ${failure}`],
  });
  if (result === null) return [nameless("jest wrote no counts")];
  const suites = result.testResults.map((suite) => {
    const count = (...states) =>
      suite.assertionResults.filter(({ status }) => states.includes(status)).length;
    const failures = failuresOf(suite);
    return {
      name: relative(".", suite.name),
      seconds: Math.round((suite.endTime - suite.startTime) / 1000),
      passed: count("passed"),
      failed: failures.length,
      skipped: count("pending", "todo"),
      isNotRun: suite.assertionResults.some(({ title }) => title.startsWith("not run: no time")),
      failures,
    };
  });
  const hung = exitCode !== 0 && suites.every(({ failed }) => failed === 0);
  return hung ? [...suites, nameless("the tests passed, but jest failed or did not end")] : suites;
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}

/** Repeated at the end of a long output. A suite that did not run, or whose end failed, has no failed test, so it is listed itself. */
function failuresOf({ name, status, message, assertionResults }) {
  const failed = assertionResults
    .filter((test) => test.status === "failed")
    .map((test) => ({ test: test.fullName, why: test.failureMessages.join("\n") }));
  if (status === "failed" && failed.length === 0) failed.push({ test: "the suite itself", why: message });
  return failed.map(({ test, why }) => {
    const message = stripVTControlCharacters(why).slice(0, REPEATED_CHARACTERS);
    return `${relative(".", name)}: ${test}\n${message.replace(/^/gm, "    ")}`;
  });
}

function slowest(suites) {
  const slow = suites.filter(({ seconds }) => seconds >= NAMED_SLOW_SECONDS);
  const lines = slow
    .sort((one, other) => other.seconds - one.seconds)
    .map(({ name, seconds }) => `  ${seconds} s  ${name}`);
  return [`suites of ${NAMED_SLOW_SECONDS} s and more:`, ...lines].join("\n");
}
