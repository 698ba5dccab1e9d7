/** ES modules that the command brings along as a bundle, which jest's require reads only once they are transformed. */
const ES_MODULES = "(echarts|zrender)";

/** Types are checked by `tsc --noEmit`; swc only strips them, which halves the time of a run. */
module.exports = {
  testEnvironment: "node",
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
    // What is imported when it is needed is named as Node finds it; here it is the source.
    "^(\\.{1,2}/.*)\\.js$": "$1",
    // Examples say it as their readers do.
    "^cdktf-bluegreen$": "<rootDir>/stacks/index.ts",
    "^cdktf-bluegreen/(.*)$": "<rootDir>/$1",
  },
  // Long after a busy machine is done: a test that waits for something says sooner what does not come.
  testTimeout: 300_000,
  // Real proxies and applications under load share the machine with their tests: one suite at a time.
  maxWorkers: 1,
};
