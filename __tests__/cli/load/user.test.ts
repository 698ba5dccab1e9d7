/** The cookies of a simulated user, as a browser would keep them. */
import { SimulatedUser, SimulatedUsers } from "../../../cli/load/user";

const NOW = Date.UTC(2026, 0, 1);
const userWith = (...setCookies: string[]): SimulatedUser => {
  const user = new SimulatedUser(true);
  user.receive(setCookies, "/account/login", NOW);
  return user;
};

test("sends back what was set, byte for byte", () => {
  const user = userWith("bucket=42; Path=/; HttpOnly", "token=a%20b=+/; Path=/");
  expect(user.cookieHeader("/", NOW)).toBe("bucket=42; token=a%20b=+/");
});

test("a user that keeps no cookies sends none", () => {
  const user = new SimulatedUser(false);
  user.receive(["bucket=42; Path=/"], "/", NOW);
  expect(user.cookieHeader("/", NOW)).toBeUndefined();
});

test("a new value replaces the old", () => {
  const user = userWith("bucket=1; Path=/", "bucket=2; Path=/");
  expect(user.cookieHeader("/", NOW)).toBe("bucket=2");
});

test("a cookie ends with its Max-Age or Expires, or is removed by them", () => {
  const user = userWith("a=1; Path=/; Max-Age=10", "b=2; Path=/; Expires=Thu, 01 Jan 2026 00:00:20 GMT");
  expect(user.cookieHeader("/", NOW + 9_000)).toBe("a=1; b=2");
  expect(user.cookieHeader("/", NOW + 11_000)).toBe("b=2");
  user.receive(["b=; Path=/; Max-Age=0"], "/", NOW);
  expect(user.cookieHeader("/", NOW + 11_000)).toBeUndefined();
});

test("a cookie goes to its path and below, without a path to the folder that set it", () => {
  const user = userWith("admin=1; Path=/admin", "login=2");
  expect(user.cookieHeader("/admin/users?x=1", NOW)).toBe("admin=1");
  expect(user.cookieHeader("/administrator", NOW)).toBeUndefined();
  expect(user.cookieHeader("/account/profile", NOW)).toBe("login=2");
});

const USERS = { users: 2, cookieKeepingWeight: 0.5, reportsAddresses: true };

test("users stay, unless the plan has an end of their visits: then others with other addresses come", () => {
  const staying = new SimulatedUsers(USERS, () => 0);
  const first = staying.any(0);
  expect(staying.any(1e9)).toBe(first);

  const leaving = new SimulatedUsers({ ...USERS, visitSeconds: 10 }, () => 0);
  const second = leaving.any(0);
  expect(leaving.any(4_999)).toBe(second);
  const third = leaving.any(5_000);
  expect([second, third].map(({ address }) => address)).toEqual(["10.0.0.1", "10.0.0.2"]);
});

test("the address is reported only if the plan wants it", () => {
  expect(new SimulatedUsers({ ...USERS, reportsAddresses: false }, () => 0).any(0).address).toBeUndefined();
});

test("who comes keeps cookies as often as who left", () => {
  let place = 0;
  const users = new SimulatedUsers({ ...USERS, visitSeconds: 1 }, () => place);
  const keeps = (now: number): boolean => {
    const user = users.any(now);
    user.receive(["a=1; Path=/"], "/", NOW);
    return user.cookieHeader("/", NOW) !== undefined;
  };
  expect([keeps(0), keeps(10_000)]).toEqual([true, true]);
  place = 0.9;
  expect([keeps(0), keeps(20_000)]).toEqual([false, false]);
});
