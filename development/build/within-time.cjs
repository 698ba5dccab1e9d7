/**
 * Runs a suite as jest does. Past TEST_DEADLINE (milliseconds since 1970, set by test.mjs) it is skipped and counted as one
 * skipped test: on a slow machine a run must end, and report what it found, before it is ended from outside.
 */
"use strict";
const { createRequire } = require("node:module");

// Both belong to jest, and are no dependencies of this package.
const core = createRequire(require.resolve("jest")).resolve("@jest/core");
const load = createRequire(core);

const NOT_RUN = "not run: no time was left";

module.exports = async (globalConfig, config, environment, runtime, testPath, ...others) => {
  if (Date.now() < Number(process.env.TEST_DEADLINE ?? Infinity)) {
    const { default: run } = load("jest-circus/runner");
    return run(globalConfig, config, environment, runtime, testPath, ...others);
  }
  const test = { ancestorTitles: [], title: NOT_RUN, fullName: NOT_RUN, status: "pending" };
  return {
    ...load("@jest/test-result").createEmptyTestResult(),
    testFilePath: testPath,
    skipped: true,
    numPendingTests: 1,
    testResults: [{ ...test, duration: null, failureDetails: [], failureMessages: [], numPassingAsserts: 0 }],
  };
};
