/** The cookies of a simulated user, as a browser would keep them. */
import { SimulatedUser } from "../../../cli/load/user";

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
