/**
 * A person with Chromium keeps the session that an application has in its memory, with each kind of proxy (docs/traffic.md,
 * section 8). Servers are chosen so that the client's address alone leads to another server than its cookie.
 */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, BrowserContext, BrowserContextOptions, Page, Response } from "playwright-core";
import { SERVER_COOKIE } from "../../../configuration/cookies";
import type { KeptReleases } from "../../../configuration/sessions";
import { until } from "../../../development/testbed/processes";
import { describeInBrowser, launchChromium } from "../../chromium";
import { describeWith, embedded, haproxy, nginx } from "./proxy-kinds";
import type { ProxyKind } from "./proxy-kinds";
import { ProxyUnderTest } from "./proxy-under-test";
import { identityProvider, SessionApplication } from "./session-application";
import { certificateOf } from "./site-certificate";
import { TlsBalancer } from "./tls-balancer";

const SHOP = "shop.example";
/** Another site: another registrable domain. */
const LOGIN = "login.test";
const KEPT: KeptReleases = { blue: "1.0.0-1", green: "1.1.0-2" };
/** Longer than any test. */
const DRAIN = { idleSeconds: 120, atMostSeconds: 600 };
const FAILED_BY_CHANCE = 500;
const TRIES = 10;
const MOST_WINDOWS = 3;

/** Where TLS ends. */
type Tls = "nowhere" | "at the proxy" | "in front of the proxy";

const certificate = certificateOf(SHOP);

describeInBrowser("with Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium({ hosts: [SHOP, LOGIN] });
  });
  afterAll(() => browser?.close());

  const ends: readonly Tls[] = ["nowhere", "at the proxy", "in front of the proxy"];
  for (const kind of [haproxy, nginx, embedded])
    describeWith(kind)(kind.name, () => {
      // The embedded proxy serves no TLS.
      const served = kind === embedded ? ends.filter((tls) => tls !== "at the proxy") : ends;
      describe.each(served)("where TLS ends %s", (tls) => promises(kind, tls, () => browser));
    });
});

function promises(kind: ProxyKind, tls: Tls, browser: () => Browser): void {
  const hasTls = tls !== "nowhere";
  const scheme = hasTls ? "https" : "http";
  let login: Server;
  let balancer: TlsBalancer | null = null;
  let proxy: ProxyUnderTest;
  let origin: string;
  /** A person whose cookie names another server than the address does. */
  let moved: {
    readonly port: number;
    readonly byAddress: number;
    readonly storageState: NonNullable<BrowserContextOptions["storageState"]>;
  };
  const contexts: BrowserContext[] = [];

  beforeAll(async () => {
    login = identityProvider(hasTls ? certificate : null).listen(0, "127.0.0.1");
    await once(login, "listening");
    const site = {
      hasTls,
      identityProvider: `${scheme}://${LOGIN}:${(login.address() as AddressInfo).port}`,
    };
    proxy = await ProxyUnderTest.create(kind, {}, (slot, port) => new SessionApplication(slot, port, site), {
      servers: 2,
      sessions: { affinity: "server", withoutCookie: ["/static/"], drain: DRAIN },
      ...(tls === "at the proxy" && { certificate }),
      ...(tls === "in front of the proxy" && { http: { trusted: ["127.0.0.1/32"] } }),
    });
    let { port } = proxy.spec.proxy.tls ?? proxy.spec.proxy;
    if (tls === "in front of the proxy") {
      balancer = await TlsBalancer.inFrontOf(port, certificate);
      port = balancer.port;
    }
    origin = `${scheme}://${SHOP}:${port}`;
    await set(0);
    await meetAnotherServer();
  });
  afterAll(async () => {
    balancer?.close();
    login?.close();
    await proxy?.close();
  });
  beforeEach(() => set(0));
  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
  });

  const set = (weight: number) => proxy.set({ sessions: KEPT, weight });

  async function privateWindow(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser().newContext({ ignoreHTTPSErrors: true, ...options });
    contexts.push(context);
    return context.newPage();
  }

  /** Who meets a failure by chance tries again. */
  async function visit(page: Page, path = "/begin/"): Promise<Visit> {
    return retried(path, async () => visitOf((await page.goto(`${origin}${path}`))!));
  }

  /** What the open page itself asks for. */
  async function click(page: Page, method: string): Promise<Visit> {
    return retried("a click", async () => {
      const [answer] = await Promise.all([
        page.waitForResponse(`${origin}/part/data.json`),
        page.evaluate(`fetch("/part/data.json", { method: "${method}" })`),
      ]);
      return visitOf(answer);
    });
  }

  /** A window whose cookie names another server than its address does. */
  async function meetAnotherServer(): Promise<void> {
    const page = await privateWindow();
    const context = page.context();
    const anew = async () => {
      await context.clearCookies();
      return (await visit(page)).port;
    };
    const byAddress = await anew();
    const { server } = proxy.spec.endpoints.blue.find((each) => each.port === byAddress)!;
    await proxy.driver.exclude("blue", [server]);
    const port = await anew();
    const cookies = (await context.cookies()).filter(({ name }) => name === SERVER_COOKIE);
    await proxy.driver.include("blue", [server]);
    await until(async () => (await anew()) === byAddress, "the server is in rotation again");
    expect(port).not.toBe(byAddress);
    moved = { port, byAddress, storageState: { cookies, origins: [] } };
  }

  const movedWindow = () => privateWindow({ storageState: moved.storageState });

  /** To the other site's page, which returns with a POST. @returns what the POST met */
  async function logIn(page: Page): Promise<Visit> {
    return retried("the login", async () => {
      const posted = page.waitForResponse((response) => response.request().method() === "POST");
      posted.catch(() => undefined);
      const shown = await visitOf((await page.goto(`${origin}/login?origin=${encodeURIComponent(origin)}`))!);
      if (shown.status === FAILED_BY_CHANCE) return shown;
      const answer = await visitOf(await posted);
      await page.waitForLoadState();
      return answer;
    });
  }

  test("the login of another site returns to the person's server, which may be that of the address", async () => {
    const page = await privateWindow();
    const { port } = await visit(page);
    expect(await logIn(page)).toMatchObject({ status: 303, port });
    expect(await visit(page, "/account")).toMatchObject({ status: 200, port });
  });

  const title = hasTls
    ? "the login of another site returns to the person's server, whatever the address"
    : "without TLS the login of another site returns to the address's server, and the person stays there";
  test(title, async () => {
    const page = await movedWindow();
    const { port, byAddress } = moved;
    const posted = await logIn(page);
    // The application's cookie is there in each case: Chromium sends one without SameSite for two minutes.
    expect(posted.cookies).toEqual(hasTls ? [SERVER_COOKIE, "session"] : ["session"]);
    expect(posted).toMatchObject(hasTls ? { status: 303, port } : { status: 400, port: byAddress });
    expect(await visit(page, "/account")).toMatchObject(
      hasTls ? { status: 200, port } : { status: 401, port: byAddress },
    );
  });

  /** What a path's parts met, in a new private window. @param parts how many of the answers to wait for */
  async function partsOf(path: string, isPart: RegExp, parts: number): Promise<Visit[]> {
    for (let tried = 0; tried < TRIES; tried += 1) {
      const page = await privateWindow();
      const answers: Promise<Visit>[] = [];
      page.on("response", (response) => {
        if (isPart.test(new URL(response.url()).pathname)) answers.push(visitOf(response));
      });
      const { status } = await visitOf((await page.goto(`${origin}${path}`))!);
      if (status === FAILED_BY_CHANCE) continue;
      await until(() => answers.length >= parts, `${parts} parts were answered`);
      const met = await Promise.all(answers);
      if (met.every((part) => part.status !== FAILED_BY_CHANCE)) return met;
    }
    throw new Error(`${path} failed ${TRIES} times`);
  }

  test("a page and the five parts that need its session meet one server", async () => {
    const [page, ...parts] = await partsOf("/", /^[/](part[/].*)?$/, 6);
    expect(page).toMatchObject({ status: 200, cookies: [] });
    const cookies = [SERVER_COOKIE, "session"];
    expect(parts).toEqual(Array.from({ length: 5 }, () => ({ ...page!, cookies })));
  });

  test("six parallel first requests meet one server", async () => {
    const met = await partsOf("/static/shell.html", /^[/]slow[/]/, 6);
    expect(met).toHaveLength(6);
    expect(new Set(met.map(({ port }) => port)).size).toBe(1);
    // They were first: sent before an answer gave anything.
    expect(met.filter(({ cookies }) => cookies.length === 0).length).toBeGreaterThan(1);
  });

  /** At a weight of 99 % a private window has the candidate; one of a hundred does not. */
  async function candidatesWindow(): Promise<{ page: Page; port: number }> {
    for (let window = 0; window < MOST_WINDOWS; window += 1) {
      const page = await privateWindow();
      const { slot, port } = await visit(page);
      if (slot === "green") return { page, port };
    }
    throw new Error(`none of ${MOST_WINDOWS} private windows got the candidate`);
  }

  test("while a candidate gets its share, an open page keeps its session; a private window is placed anew", async () => {
    const page = await movedWindow();
    const own = { slot: "blue", port: moved.port, status: 200 };
    await visit(page, "/");
    for (const weight of [50, 99]) {
      await set(weight);
      for (const method of ["GET", "POST"]) expect(await click(page, method)).toMatchObject(own);
      expect(await visit(page, "/part/frame.html")).toMatchObject(own);
    }
    const placed = await candidatesWindow();
    expect(await click(placed.page, "GET")).toMatchObject({ slot: "green", port: placed.port, status: 200 });
    expect(await click(page, "GET")).toMatchObject(own);
    await set(0);
    expect(await click(page, "GET")).toMatchObject(own);
  });

  test("a page that is open across a switch keeps its session, a private window gets the new release", async () => {
    const page = await movedWindow();
    const own = { slot: "blue", port: moved.port, status: 200 };
    await visit(page, "/");
    await proxy.set({ live: "green", sessions: KEPT });
    for (const method of ["GET", "POST"]) expect(await click(page, method)).toMatchObject(own);
    const other = await privateWindow();
    const { slot, port } = await visit(other);
    expect(slot).toBe("green");
    expect(await click(other, "GET")).toMatchObject({ slot, port, status: 200 });
    expect(await click(page, "GET")).toMatchObject(own);
    // Another release needs that slot.
    await proxy.set({ live: "green", sessions: { ...KEPT, blue: null } });
    expect(await click(page, "GET")).toMatchObject({ slot: "green", status: 401 });
    expect(await click(other, "GET")).toMatchObject({ slot, port, status: 200 });
  });

  test("a WebSocket that a page opens goes to the page's server", async () => {
    await set(99);
    const page = await movedWindow();
    expect(await visit(page)).toMatchObject({ slot: "blue", port: moved.port });
    const message = await page.evaluate(`new Promise((resolve, reject) => {
      const socket = new WebSocket(location.origin.replace("http", "ws") + "/socket");
      socket.onmessage = ({ data }) => resolve(data);
      socket.onerror = () => reject(new Error("no connection"));
    })`);
    expect(message).toBe(`${moved.port} guest`);
  });
}

interface Visit {
  readonly status: number;
  readonly slot: string | undefined;
  readonly port: number;
  /** The names of those that the application got. */
  readonly cookies: readonly string[];
}

async function retried(what: string, attempt: () => Promise<Visit>): Promise<Visit> {
  for (let tried = 0; tried < TRIES; tried += 1) {
    const met = await attempt();
    if (met.status !== FAILED_BY_CHANCE) return met;
  }
  throw new Error(`${what} failed ${TRIES} times`);
}

async function visitOf(response: Response): Promise<Visit> {
  const headers = await response.allHeaders();
  return {
    status: response.status(),
    slot: headers["x-slot"],
    port: Number(headers["x-port"]),
    cookies: (headers["x-cookies"] ?? "").split(" ").filter(Boolean).sort(),
  };
}
