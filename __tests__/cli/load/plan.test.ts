/** What can be asked of a load, and the load for the sample application. */
import { parseLoadPlan } from "../../../cli/load/plan";
import { socialGoalPlan } from "../../../cli/load/socialgoal-plan";
import { plan } from "./application";

test("the sample application is read and written, and its goals are looked for", () => {
  expect(socialGoalPlan("http://127.0.0.1:8080", 300)).toEqual({
    origin: "http://127.0.0.1:8080",
    rate: 300,
    users: 100,
    cookieKeepingWeight: 0.5,
    visitSeconds: 4,
    reportsAddresses: true,
    postShare: 0.2,
    connections: 256,
    timeLimitMs: 10_000,
    inFlightCap: 1_000,
    headers: {},
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
    form: {
      users: 25,
      thinkSeconds: 1,
      steps: [
        { path: "/account/login", fields: { name: "Ada" }, status: 303 },
        { path: "/goals/new/title", status: 200, bodyIncludes: "Ada" },
        {
          ...{ path: "/goals/new/title", fields: { title: ":marker" }, status: 303 },
          location: "/goals/new/description",
        },
        { path: "/goals/new/description", status: 200, bodyIncludes: ":marker" },
        {
          ...{ path: "/goals/new/description", fields: { description: "In three steps" }, status: 303 },
          location: "/goals/new/confirmation",
        },
        { path: "/goals/new/confirmation", status: 200, bodyIncludes: "In three steps" },
        { path: "/goals/new/confirmation", fields: {}, status: 303, location: "/goals/" },
      ],
      lost: { status: 303, location: "/goals/new/title?lost" },
      acknowledges: true,
    },
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

test("a plan without 'post' only reads: postShare is 0", () => {
  const { post: _post, find: _find, ...readsOnly } = plan("http://x");
  expect(parseLoadPlan(readsOnly)).toMatchObject({ postShare: 0 });
  expect(parseLoadPlan({ ...readsOnly, postShare: 0 })).toMatchObject({ postShare: 0 });
});

test("a plan that was read once can be read again, as the second process does", () => {
  const { post: _post, find: _find, ...readsOnly } = plan("http://x", { headers: { Host: "y" } });
  for (const input of [readsOnly, plan("http://x", { releaseHeader: null }), socialGoalPlan("http://x")]) {
    const once = parseLoadPlan(input);
    expect(parseLoadPlan(JSON.parse(JSON.stringify(once)))).toEqual(once);
  }
});

const FORM = [{ path: "/one" }, { path: "/two" }];

test.each<[string, object, RegExp]>([
  [
    "POSTs without 'post'",
    { post: undefined, find: undefined, postShare: 0.1 },
    /'postShare': must be left out/,
  ],
  ["'post' without 'find'", { find: undefined }, /'find': belongs to 'post'/],
  ["'find' without 'post'", { post: undefined, postShare: 0 }, /'find': belongs to 'post'/],
  ["an origin with a path", { origin: "http://x/app" }, /'origin': must be scheme, host and port only/],
  [
    "an origin with a password",
    { origin: "http://me:secret@x" },
    /'origin': must be scheme, host and port only/,
  ],
  ["a path with a line break", { gets: [{ path: "/\r\nx" }] }, /'gets\.0\.path': must start with/],
  ["a header with a line break", { headers: { "x-y": "a\r\nb" } }, /'headers\.x-y': must be printable/],
  ["a header that the client sets", { headers: { Cookie: "a=b" } }, /'headers\.Cookie': .*sets itself/],
  ["a header name that is none", { headers: { "x y": "a" } }, /'headers\.x y': .*header name/],
  [
    "a form without a second step",
    { form: { steps: [{ path: "/" }], lost: { status: 303 } } },
    /'form\.steps': /,
  ],
  ["a form whose loss has no sign", { form: { steps: FORM } }, /'form\.lost': /],
  [
    "a form that acknowledges what nothing names",
    { form: { steps: FORM, lost: { status: 303 }, acknowledges: true } },
    /'form\.acknowledges': needs 'find', and 'location' in the last step/,
  ],
  ["an unknown field with a line break", { "a\nb": 1 }, /Unrecognized key/],
])("fail with one line for %s", (_, rest, words) => {
  const refused = () => parseLoadPlan({ ...plan("http://x"), ...rest });
  expect(refused).toThrow(words);
  expect(refused).toThrow(/^the load cannot be run: [^\n]*$/);
});

test("fail with one line for what is no plan at all", () => {
  expect(() => parseLoadPlan([])).toThrow(/^the load cannot be run: [^\n]*$/);
});
