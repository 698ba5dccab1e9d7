/** Which answers may carry a proxy's cookie: never one that a shared cache may store. */
import { bucketAttributes, isShareable, privateCacheControl } from "../../configuration/cookies";

const answer = (facts: { status?: number; cacheControl?: string; expires?: string }) => ({
  status: 200,
  cacheControl: undefined,
  expires: undefined,
  ...facts,
});

test.each([
  ["public", { cacheControl: "public" }],
  ["public among others", { cacheControl: "no-transform,Public , max-age=0" }],
  ["for shared caches only", { cacheControl: "s-maxage=60" }],
  ["with an age", { cacheControl: "max-age=60" }],
  ["with a quoted age", { cacheControl: 'must-revalidate, max-age="060"' }],
  ["that expires later", { expires: "Wed, 01 Jan 2031 00:00:00 GMT" }],
  ["that has not changed", { status: 304 }],
  ["that has not changed, for this user only", { status: 304, cacheControl: "private" }],
])("an answer %s gets no cookie", (_, facts) => {
  expect(isShareable(answer(facts))).toBe(true);
});

test.each<[string, { cacheControl?: string; expires?: string }, string]>([
  ["without a word about caches", {}, "private"],
  ["for this user only", { cacheControl: "private, max-age=60" }, "private, max-age=60"],
  ["that nothing stores", { cacheControl: "no-store, max-age=60" }, "no-store, max-age=60"],
  ["whose private fields are named", { cacheControl: 'private="set-cookie"' }, 'private="set-cookie"'],
  ["that is stale at once", { cacheControl: "max-age=0" }, "max-age=0, private"],
  ["that is validated each time", { cacheControl: "no-cache" }, "no-cache, private"],
  ["that expired long ago", { expires: "Thu, 19 Nov 1981 08:52:00 GMT" }, "private"],
  ["with IIS's word for expired", { expires: "-1" }, "private"],
  [
    "with another directive that ends so",
    { cacheControl: "x-public, x-max-age=5" },
    "x-public, x-max-age=5, private",
  ],
])("an answer %s may get one", (_, facts, written) => {
  expect(isShareable(answer(facts))).toBe(false);
  expect(privateCacheControl(facts.cacheControl)).toBe(written);
});

test("only with TLS is the cookie for TLS only", () => {
  expect(bucketAttributes(false)).toBe("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax");
  expect(bucketAttributes(true)).toBe(`${bucketAttributes(false)}; Secure`);
});
