/** What can be asked of a load, and the load for the sample application. */
import { parseLoadPlan } from "../../../cli/load/plan";
import { socialGoalPlan } from "../../../cli/load/socialgoal-plan";
import { plan } from "./application";

test("the sample application is read and written, and its goals are looked for", () => {
  expect(socialGoalPlan("http://127.0.0.1:8080", 300)).toEqual({
    origin: "http://127.0.0.1:8080",
    rate: 300,
    users: 100,
    cookieKeepingShare: 0.5,
    postShare: 0.2,
    connections: 256,
    timeLimitMs: 10_000,
    inFlightCap: 1_000,
    releaseHeader: "x-release-id",
    releasePattern: "^[0-9A-Za-z][0-9A-Za-z.+_-]{0,99}$",
    gets: [
      { path: "/", status: 200 },
      { path: "/api/goals?limit=20", status: 200 },
      { path: "/account/login", status: 200 },
      { path: "/version", status: 200 },
    ],
    post: { path: "/api/goals", markerField: "title", body: {}, status: 201, idField: "id" },
    find: { path: "/api/goals/:id", status: 200, includesMarker: true },
  });
});

test("150 requests a second are the default", () => {
  expect(socialGoalPlan("http://127.0.0.1:8080").rate).toBe(150);
});

test("fail with one line that names the fields of a plan that cannot be run", () => {
  expect(() => parseLoadPlan(plan("ftp://x", { rate: 0, find: { path: "/api/goals" } }))).toThrow(
    /^the load cannot be run: 'origin': must be an http or https address; 'rate': .*; 'find\.path': must contain :id$/,
  );
  expect(() => parseLoadPlan(plan("http://x", { releasePattern: "(" }))).toThrow(
    /'releasePattern': must be a regular/,
  );
});
