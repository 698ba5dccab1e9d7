/** Secrets in the requests of an environment file: by reference, or with a warning. */
import { warningsOf } from "../../configuration/advice";
import { parseEnvironment } from "../../configuration/environment-file";
import { plainSecrets } from "../../configuration/secret-headers";
import { azureFile } from "./azure/examples";
import { environmentOf, recordOf } from "../release/examples";

const smoke = (headers: object, more: object = {}) => ({
  verification: { smoke: [{ path: "/", headers, ...more }] },
});
const notification = (headers: object) => ({ method: "POST", path: "/roles", headers });

test.each([
  ["authorization", "Bearer abc"],
  ["Proxy-Authorization", "Basic abc"],
  ["cookie", "session=abc"],
  ["x-api-key", "abc"],
  ["X-ApiKey", "abc"],
  ["x-auth-token", "abc"],
  ["client-secret", "abc"],
])("%s with a text is valid as before, with a warning that names the form to use", (name, text) => {
  const environment = environmentOf(smoke({ [name]: text }));
  const field = `verification.smoke.0.headers.${name}`;
  expect(plainSecrets(environment)).toEqual([field]);
  expect(warningsOf(recordOf(), environment)).toContain(
    `${field}: a secret as text is in git and in the synthesized stacks: write "env:NAME", and set that variable where the command runs`,
  );
});

test.each([
  ["authorization", "env:SHOP_TOKEN"],
  ["x-api-key", "env:SHOP_KEY"],
  ["accept", "application/json"],
  ["x-tenant", "first"],
])("%s: %s gives none", (name, text) => {
  const environment = environmentOf(smoke({ [name]: text }));
  expect(plainSecrets(environment)).toEqual([]);
});

test("notifications and webhooks are looked through, too", () => {
  const headers = { authorization: "Bearer abc" };
  const environment = environmentOf({
    activation: { activate: notification(headers), deactivate: notification({ authorization: "env:TOKEN" }) },
    hooks: [{ when: "after switch", webhook: "https://chat.example.com/", headers }],
  });
  expect(plainSecrets(environment)).toEqual([
    "activation.activate.headers.authorization",
    "hooks.0.headers.authorization",
  ]);
});

test.each([
  ["a header", smoke({ authorization: "env:NOT A NAME" })],
  ["a body", smoke({}, { method: "POST", body: "env:" })],
])("a reference in %s must name a variable", (_, changes) => {
  expect(() => environmentOf(changes)).toThrow(
    /is not the name of an environment variable, as in "env:SHOP_TOKEN"/,
  );
});

test.each([
  ["verification.smoke.0.headers.authorization", smoke({ authorization: "env:SHOP_TOKEN" })],
  ["verification.smoke.0.body", smoke({}, { method: "POST", body: "env:SHOP_TOKEN" })],
  [
    "activation.deactivate.headers.x-key",
    { activation: { activate: notification({}), deactivate: notification({ "x-key": "env:SHOP_TOKEN" }) } },
  ],
])("%s is refused on Azure, whose proxies have no such variable", (field, changes) => {
  expect(() => parseEnvironment(azureFile({}, changes), "environments/a.json")).toThrow(
    `environments/a.json: ${field} is "env:SHOP_TOKEN", but proxies on Azure have no such environment variable`,
  );
});

test("a secret as text on Azure: the warning names a way that needs none", () => {
  const file = azureFile({}, smoke({ authorization: "Bearer abc" }));
  expect(warningsOf(recordOf(), parseEnvironment(file, "a.json"))).toContainEqual(
    expect.stringContaining("check a page that needs no secret, or send the request from a hook"),
  );
});
