/** HAProxy keeps clients on their servers. */
import type { Sessions } from "../../../configuration/sessions";
import { HaproxyConfigurator } from "../../../on-server/director/drivers/haproxy/haproxy-configuration";
import { promisesOfAffinity } from "./affinity-promises";
import { complaintOf } from "./proxy-configuration";
import { describeWith, haproxy } from "./proxy-kinds";
import { proxySpec } from "./proxy-under-test";

const SESSIONS: Sessions = { affinity: "server", withoutCookie: [] };

describeWith(haproxy)("haproxy with affinity", () => promisesOfAffinity(haproxy));

test("without the setting the configuration is what it was", () => {
  const spec = proxySpec({ driver: "haproxy", topology: "sideBySide", servers: 2 });
  const lines = (text: string) => text.split("\n").map((line) => line.trim());
  const plain = new HaproxyConfigurator(spec).files();
  const none = new HaproxyConfigurator({ ...spec, sessions: { ...SESSIONS, affinity: "none" } }).files();
  expect(none).toEqual(plain);
  const withAffinity = new HaproxyConfigurator({ ...spec, sessions: SESSIONS }).files();
  // Affinity adds lines. It changes one: where the bucket decides.
  const has = lines(withAffinity["haproxy.cfg"]!);
  const gone = lines(plain["haproxy.cfg"]!).filter((line) => !has.includes(line));
  expect(gone).toEqual([expect.stringContaining("http-request allow if { req.cook(bluegreen-bucket)")]);
});

test.each([1, 20])("HAProxy accepts the configuration for %i servers", (servers) => {
  const spec = proxySpec({ driver: "haproxy", topology: "sideBySide", servers });
  expect(complaintOf({ ...spec, sessions: { ...SESSIONS, withoutCookie: ["/assets/", "/api/"] } })).toBe("");
});
