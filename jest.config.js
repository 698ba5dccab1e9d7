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
  },
  testTimeout: 60_000,
  // Real proxies and applications under load share the machine with their tests: one suite at a time.
  maxWorkers: 1,
};
