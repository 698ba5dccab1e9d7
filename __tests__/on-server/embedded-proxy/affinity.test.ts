/** Which cookies count as a token, and that without the setting the proxy's settings stay what they were. */
import { Affinity } from "../../../on-server/embedded-proxy/affinity";
import { serverAttributes } from "../../../configuration/cookies";
import { serverTokens } from "../../../configuration/sessions";
import { CLOSED, trafficEntries } from "../../../on-server/director/drivers/driver";
import { EmbeddedConfigurator } from "../../../on-server/director/drivers/embedded/embedded-settings";
import { proxySpec } from "../director/proxy-under-test";

const spec = proxySpec({ driver: "embedded", topology: "sideBySide", servers: 2 });
const KEPT = { blue: "1.0.0-1", green: null };
const [first, second] = serverTokens(spec, KEPT);
const NAME = "bluegreen-server";

function affinity(sessions?: typeof KEPT): Affinity {
  const { application, environment, endpoints } = spec;
  const one = new Affinity({ application, environment, withoutCookie: ["/assets/"] }, endpoints);
  one.follow({ ...CLOSED, live: "blue", ...(sessions && { sessions }) });
  return one;
}

test.each<[string, string]>([
  ["alone", `${NAME}=${first!.token}`],
  ["among others", `a=b; ${NAME}=${first!.token};x-${NAME}=${second!.token}`],
])("a token counts: %s", (_, cookies) => {
  expect(affinity(KEPT).serverOf(cookies)).toEqual(first);
  expect(affinity(KEPT).cookieFor("blue", first!.server, { cookie: cookies }, "/")).toBeNull();
});

test.each<[string, string | undefined]>([
  ["there is none", undefined],
  ["it is repeated", `${NAME}=${first!.token}; ${NAME}=${first!.token}`],
  ["there are two", `${NAME}=${first!.token}; ${NAME}=${second!.token}`],
  ["it has another name", `x-${NAME}=${first!.token}`],
  ["it is a property of every object", `${NAME}=__proto__`],
])("no token counts if %s: the answer gives the right one", (_, cookies) => {
  expect(affinity(KEPT).serverOf(cookies)).toBeNull();
  const given = affinity(KEPT).cookieFor("blue", second!.server, { cookie: cookies }, "/");
  expect(given).toBe(`${NAME}=${second!.token}${serverAttributes(false)}`);
});

test("no token is valid, or given, before the traffic names a release", () => {
  const cookies = `${NAME}=${first!.token}`;
  expect(affinity().serverOf(cookies)).toBeNull();
  expect(affinity().cookieFor("blue", first!.server, {}, "/")).toBeNull();
});

test("settings and traffic are byte for byte those of before, unless it is asked for", () => {
  const sessions = { affinity: "server" as const, withoutCookie: ["/assets/"] };
  const [plain, none, server] = [
    spec,
    { ...spec, sessions: { ...sessions, affinity: "none" as const } },
    { ...spec, sessions },
  ].map((each) => new EmbeddedConfigurator(each).files());
  expect(none).toEqual(plain);
  expect(Object.keys(JSON.parse(plain!["embedded-proxy.json"]!) as object)).toEqual([
    ...["host", "port", "endpoints", "preview", "check", "http", "privatePaths"],
  ]);
  expect(plain!["traffic.json"]).toBe(JSON.stringify(trafficEntries(CLOSED)));
  expect(plain!["traffic.json"]).not.toContain("sessions");
  const { sessions: written } = JSON.parse(server!["embedded-proxy.json"]!) as { sessions: unknown };
  expect(written).toEqual({ application: "demo", environment: "test", withoutCookie: ["/assets/"] });
});
