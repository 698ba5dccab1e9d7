/** Which paths users may not request: those of the notifications, in any spelling that a web server resolves to them. */
import { normalPath, privatePaths } from "../../configuration/private-paths";
import { environmentOf } from "../release/examples";

test("without activation no path is private", () => {
  expect(privatePaths(environmentOf())).toEqual([]);
  expect(privatePaths({ activation: null })).toEqual([]);
});

test("both notifications are private, each once, without their queries", () => {
  const to = (path: string) => ({ method: "POST" as const, path });
  const { activation } = environmentOf({
    activation: { activate: to("/internal/Jobs?on=1"), deactivate: to("/internal/jobs?on=0") },
  });
  expect(privatePaths({ activation })).toEqual(["/internal/jobs"]);
});

test.each([
  "/internal/jobs",
  "/Internal/JOBS/",
  "//internal/./jobs",
  "/a/../internal/jobs",
  "/internal/j%6Fbs?x=/y",
  "/internal;v=1/jobs",
])("%s is the same path", (path) => expect(normalPath(path)).toBe("/internal/jobs"));

test("other paths stay different", () => {
  expect(normalPath("/internal/jobs-of-today")).toBe("/internal/jobs-of-today");
  expect(normalPath("/")).toBe("/");
  expect(normalPath("/%zz")).toBe("/%zz");
});
