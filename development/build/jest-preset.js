/** ES modules that the command bundles. jest's require can read them only if they are transformed. */
const ES_MODULES = "(echarts|zrender)";

/** `tsc --noEmit` checks types; swc only strips them, which halves the time of a run. */
module.exports = {
  testEnvironment: "node",
  testRunner: "<rootDir>/development/build/within-time.cjs",
  roots: ["<rootDir>/__tests__"],
  testMatch: ["**/*.test.ts"],
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      { jsc: { target: "es2022", parser: { syntax: "typescript", decorators: true } } },
    ],
    [`/node_modules/${ES_MODULES}/.+\\.js$`]: ["@swc/jest", { jsc: { target: "es2022" } }],
  },
  transformIgnorePatterns: [`/node_modules/(?!${ES_MODULES}/)`],
  moduleNameMapper: {
    // Dynamic imports name the compiled file; here they load the source.
    "^(\\.{1,2}/.*)\\.js$": "$1",
    // Examples import the package by name.
    "^cdktf-bluegreen$": "<rootDir>/stacks/index.ts",
    "^cdktf-bluegreen/(.*)$": "<rootDir>/$1",
  },
  // Longer than on a busy machine: a test that waits for a condition fails earlier, with a message.
  testTimeout: 300_000,
  // Tests share the machine with real proxies and applications under load: one suite at a time.
  maxWorkers: 1,
};
