/**
 * Releases that are healthy by their own word, while their pages are gone, redirect, are empty, or one of ten is missing:
 * with default settings no user gets them, whatever the proxy. Equal releases pass, although the application fails by chance.
 */
import { get } from "node:http";
import type { DriverName } from "../../configuration/drivers";
import type { Receipt } from "../../release/receipt";
import { describeEndToEnd, oneServer, World } from "./world";

/** One answer in fifty fails by chance, one in a hundred takes a while. Users are let in by a cookie, if at all. */
const UNKIND = `
const { createServer } = require("node:http");
const mode = require("./mode.json");
const pages = {
  good: (response) => response.end("<h1>a page</h1>"),
  missing: (response) => response.writeHead(404).end("<h1>not found</h1>"),
  login: (response) => response.writeHead(302, { location: "/login" }).end(),
  empty: (response) => response.end(),
};
const server = createServer((request, response) => {
  response.setHeader("x-release-id", process.env.BLUEGREEN_RELEASE_ID);
  if (request.url === "/health") return response.end("ok");
  response.setHeader("content-type", "text/html; charset=utf-8");
  response.setHeader("set-cookie", "session=" + Math.random());
  if (Math.random() < 0.02) return response.writeHead(500).end("<h1>error</h1>");
  const answer = () => pages[request.url === mode.at || mode.at === "*" ? mode.pages : "good"](response);
  setTimeout(answer, Math.random() < 0.01 ? 500 : 0);
});
server.keepAliveTimeout = 65000;
server.listen(Number(process.env.PORT), process.env.HOST || "127.0.0.1");
process.on("SIGTERM", () => server.close(() => process.exit(0)));
`;
const PAGES = Array.from({ length: 10 }, (_, index) => `/page/${index}`);
const BETWEEN_REQUESTS_MS = 10;

describe.each<DriverName>(["haproxy", "nginx", "embedded"])("with %s", (driver) => {
  describeEndToEnd("a release that users would not recognize", () => {
    let world: World;

    beforeAll(async () => {
      world = await World.create({
        environment: oneServer(driver, {
          ...{ strategy: "blueGreen", bakeSeconds: 0.3, drainSeconds: 2 },
          // What its chance failures are compared by is another test's matter.
          analysis: { maxErrorRatio: 0.5 },
        }),
      });
      expect(await release("1.0.0")).toMatchObject({ outcome: "installed", exitCode: 0 });
    });
    afterAll(async () => expect(await world.end()).toEqual([]));

    function release(version: string, mode = { pages: "good", at: "" }, ...options: string[]) {
      const files = { "server.js": UNKIND, "mode.json": { ...mode, version } };
      return world.releaseOf(version, files, ...options);
    }

    /** Users ask for all pages meanwhile. @returns the releases that answered them, besides the result. */
    async function whileUsersAsk<Result>(work: () => Promise<Result>): Promise<[Result, string[]]> {
      const releases = new Set<string>();
      let sent = 0;
      const timer = setInterval(() => {
        const path = PAGES[(sent += 1) % PAGES.length]!;
        get(`${world.origin()}${path}`, { agent: false }, (response) => {
          releases.add(String(response.headers["x-release-id"]));
          response.resume();
        }).on("error", () => releases.add("nobody"));
      }, BETWEEN_REQUESTS_MS);
      try {
        const result = await work();
        expect(sent).toBeGreaterThan(20);
        return [result, [...releases].sort()];
      } finally {
        clearInterval(timer);
      }
    }

    it.each([
      ["1.1.0", "are missing", { pages: "missing", at: "*" }, "404"],
      ["1.1.1", "redirect to the login", { pages: "login", at: "*" }, "302"],
      ["1.1.2", "are empty", { pages: "empty", at: "*" }, "200 empty"],
      ["1.1.3", "are well but one of ten", { pages: "missing", at: "/page/7" }, "404"],
    ])("gets no user: %s, whose pages %s", async (version, _, mode, answer) => {
      const [deployment, releases] = await whileUsersAsk(() => release(version, mode));
      expect(deployment).toMatchObject({ outcome: "rejected", exitCode: 4, from: "1.0.0-1", to: "1.0.0-1" });
      expect(deployment.reason).toMatch(
        /got no requests: (a page|\d+ pages) that users ask for answered otherwise than in 1\.0\.0-1 \(/,
      );
      expect(deployment.reason).toContain(`${answer}, not 200 text/html: `);
      const different = /200 text\/html: ([^)]*)\)/.exec(deployment.reason ?? "")![1]!.split(" ");
      expect(different.sort()).toEqual(mode.at === "*" ? PAGES : [mode.at]);
      expect(releases).toEqual(["1.0.0-1"]);
    });

    it("goes live if it means to change, and the receipt has what changed", async () => {
      const mode = { pages: "login", at: "/page/3" };
      const [deployment] = await whileUsersAsk(() => release("1.2.0", mode, "--expect-change"));
      expect(deployment).toMatchObject({ outcome: "promoted", exitCode: 0, to: "1.2.0-6" });
      const receipt = world.read<Receipt>(".bluegreen/local/receipts/6.json");
      expect(receipt.schedule?.analysis.expectChange).toBe(true);
      expect(receipt.proxies[0]!.journal).toContainEqual(
        expect.objectContaining({ event: "verified", changed: ["302, not 200 text/html: /page/3"] }),
      );
    });

    it("can be rolled back from, although pages differ, and equal releases pass", async () => {
      expect(await world.deploy("rollback")).toMatchObject({ exitCode: 0, to: "1.0.0-1" });
      const [deployment] = await whileUsersAsk(() => release("1.3.0"));
      expect(deployment).toMatchObject({ outcome: "promoted", exitCode: 0 });
      const [proxy] = world.read<Receipt>(".bluegreen/local/receipts/8.json").proxies;
      expect(proxy!.journal).toContainEqual(
        expect.objectContaining({ event: "verified", pages: PAGES.length }),
      );
    });

    it("that was rejected goes live by a retry that expects the change", async () => {
      const mode = { pages: "login", at: "/page/3" };
      const [rejected] = await whileUsersAsk(() => release("1.4.0", mode));
      expect(rejected).toMatchObject({ outcome: "rejected", exitCode: 4 });
      expect(rejected.reason).toContain("--expect-change");
      const [retried] = await whileUsersAsk(() => world.deploy("retry", "--expect-change"));
      expect(retried).toMatchObject({ outcome: "promoted", exitCode: 0, to: "1.4.0-9" });
      const receipt = world.read<Receipt>(".bluegreen/local/receipts/10.json");
      expect(receipt.schedule?.analysis.expectChange).toBe(true);
    });
  });
});
