/**
 * What every driver that tells answers apart promises, while a release is watched: which classes of answers each slot,
 * each client and each endpoint gave, and which pages users ask for.
 */
import { once } from "node:events";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../../development/testbed/processes";
import { ANSWER_CLASSES, LONGEST_PAGE, MOST_PAGES } from "../../../on-server/director/drivers/driver";
import type { Classes, ClientCounts, SlotCounts } from "../../../on-server/director/drivers/driver";
import { SLOTS } from "../../../release/slot";
import type { PerSlot, Slot } from "../../../release/slot";
import { DifficultBackend } from "./difficult-backend";
import type { ProxyKind } from "./proxy-kinds";
import { healthyIn, ProxyUnderTest } from "./proxy-under-test";
import { RawConnection } from "./raw-connection";

/** NGINX reports its answers in batches. */
const REPORTED_WITHIN_MS = 250;
/** The candidate's bucket, and stable's. */
const BUCKET: PerSlot<number> = { green: 0, blue: 99 };
const SERVERS = 2;
const BALANCER = "127.0.0.7";
const PRIVATE = "/private/activate";
const notification = (path: string) => ({
  ...{ method: "POST" as const, path, status: 200 },
  ...{ headers: {}, headerPatterns: {} },
});

/** What was counted more. */
interface More {
  readonly requests: number;
  readonly errors: number;
  readonly classes: Classes | undefined;
}

export function promisesOfAnswers(kind: ProxyKind): void {
  let proxy: ProxyUnderTest;
  beforeAll(async () => {
    proxy = await ProxyUnderTest.create(
      kind,
      {},
      (slot: Slot, port: number) => new DifficultBackend(slot, port),
      {
        servers: SERVERS,
        http: { answerSeconds: 2, clientSeconds: 2, trusted: [`${BALANCER}/32`] },
        activation: { activate: notification(PRIVATE), deactivate: notification("/private/deactivate") },
      },
    );
  });
  beforeEach(() => watch({ weight: 50 }));
  afterAll(() => proxy?.close());

  const watch = async (traffic: object): Promise<void> => {
    await proxy.set(traffic);
    await proxy.driver.measureLatencies?.(true);
    await until(async () => {
      const counts = await proxy.driver.counts();
      return SLOTS.every((slot) => healthyIn(counts[slot]) === SERVERS);
    }, "all are healthy");
  };
  const settled = async (): Promise<PerSlot<SlotCounts>> => {
    await sleep(REPORTED_WITHIN_MS);
    return proxy.driver.counts();
  };
  const counted = async (work: () => Promise<unknown>) => {
    const before = await settled();
    await work();
    const now = await settled();
    return {
      blue: moreOf(before.blue, now.blue),
      green: moreOf(before.green, now.green),
      clientsOf: (slot: Slot, address: string) => clientsOf(before[slot], now[slot], address),
      endpointsOf: (slot: Slot) => endpointsOf(before[slot], now[slot]),
    };
  };
  const get = (slot: Slot, path: string, more: object = {}) =>
    proxy.ask({ bucket: BUCKET[slot], path, ...more }).catch(() => undefined);
  const all = async (slot: Slot, paths: readonly string[], more: object = {}) => {
    for (const path of paths) await get(slot, path, more);
  };
  const statuses = (...wanted: readonly number[]) => wanted.map((status) => `/headers?status=${status}`);

  test("counts answers by class, for each slot", async () => {
    const { blue, green } = await counted(async () => {
      await all("blue", statuses(200, 204, 302, 404));
      await all("green", statuses(200, 206, 301, 304, 308, 400, 401, 404, 410, 500, 501, 503, 505));
    });
    expect(blue).toEqual({ requests: 4, errors: 0, classes: { "2xx": 2, "3xx": 1, "4xx": 1 } });
    expect(green).toEqual({
      ...{ requests: 13, errors: 4 },
      classes: { "2xx": 2, "3xx": 3, "4xx": 4, "5xx": 4 },
    });
  });

  test("counts answers by class where traffic is whole, too", async () => {
    await watch({ weight: 0 });
    const paths = statuses(200, 301, 404, 500);
    const more = await counted(() => all("blue", paths, { from: "127.0.0.4" }));
    const wanted = {
      ...{ requests: 4, errors: 1 },
      classes: { "2xx": 1, "3xx": 1, "4xx": 1, "5xx": 1 },
    };
    expect(more.blue).toEqual(wanted);
    expect(more.clientsOf("blue", "127.0.0.4") ?? wanted).toEqual(wanted);
  });

  test("an answer that did not come whole is none, whatever its status", async () => {
    const { green } = await counted(() => all("green", ["/", "/reset", "/close", "/half", "/half"]));
    expect(green).toEqual({ requests: 5, errors: 4, classes: { "2xx": 1, none: 4 } });
  });

  test("an answer that never begins is none", async () => {
    const { green } = await counted(() => get("green", "/silent"));
    expect(green).toEqual({ requests: 1, errors: 1, classes: { none: 1 } });
  });

  test("a client that leaves gets no class of failures", async () => {
    const { green } = await counted(async () => {
      const { port } = proxy.spec.proxy;
      const headers = { cookie: `bluegreen-bucket=${BUCKET.green}` };
      for (const path of ["/silent", "/endless"]) {
        const asked = request({ host: "127.0.0.1", port, path, headers, agent: false });
        asked.on("error", () => undefined).end();
        await until(async () => (await proxy.driver.counts()).green.inFlight > 0, "it runs");
        asked.destroy();
        await until(async () => (await proxy.driver.counts()).green.inFlight === 0, "it has ended");
      }
    });
    expect(failed(green)).toBe(0);
  });

  test("a WebSocket is an answer of class 2xx", async () => {
    const { green } = await counted(async () => {
      const socket = await proxy.webSocket("green");
      socket.end();
      await once(socket, "close");
      await until(async () => (await proxy.driver.counts()).green.inFlight === 0, "it has ended");
    });
    expect(green).toEqual({ requests: 1, errors: 0, classes: { "2xx": 1 } });
  });

  test("where the other slot takes over, the slot gave none", async () => {
    const greens = proxy.backends.filter(({ slot }) => slot === "green");
    await Promise.all(greens.map((each) => each.stop()));
    await until(async () => healthyIn((await proxy.driver.counts()).green) === 0, "the proxy notices");
    const { green, blue } = await counted(() => all("green", statuses(200, 302, 404)));
    await Promise.all(greens.map((each) => each.start()));
    await until(async () => healthyIn((await proxy.driver.counts()).green) === SERVERS, "they are back");
    expect(green).toEqual({ requests: 3, errors: 3, classes: { none: 3 } });
    expect(failed(blue)).toBe(0);
  });

  test("what fails is 5xx or none, after a restart of the proxy, too", async () => {
    await all("green", ["/", "/half", ...statuses(500, 404)]);
    await settled();
    await proxy.stop();
    await proxy.start();
    await watch({ weight: 50 });
    const { green } = await counted(() => all("green", ["/", "/half", ...statuses(500, 404)]));
    expect(green).toEqual({
      ...{ requests: 4, errors: 2 },
      classes: { "2xx": 1, "4xx": 1, "5xx": 1, none: 1 },
    });
  });

  test("counts answers by class for each client, if it tells clients apart", async () => {
    const { clientsOf, ...more } = await counted(async () => {
      await all("green", ["/", ...statuses(302, 404)], { from: "127.0.0.5" });
      await all("green", ["/", "/reset", "/half", ...statuses(404, 404, 500, 501)], { from: "127.0.0.6" });
    });
    const [one, other] = [clientsOf("green", "127.0.0.5"), clientsOf("green", "127.0.0.6")];
    expect(more.green.classes).toEqual({ "2xx": 2, "3xx": 1, "4xx": 3, "5xx": 2, none: 2 });
    if (one === undefined || other === undefined) return;
    expect(one).toEqual({ requests: 3, errors: 0, classes: { "2xx": 1, "3xx": 1, "4xx": 1 } });
    expect(other).toEqual({
      ...{ requests: 7, errors: 4 },
      classes: { "2xx": 1, "4xx": 2, "5xx": 2, none: 2 },
    });
  });

  test("no target or header breaks a count or makes a page", async () => {
    const targets = [
      ...[
        '/q"uote',
        "/back\\slash",
        "/del\x7f",
        "/\u00fc",
        "/bell\x07",
        "/a|200|OK|b",
        "/x'|blue|500|OK|",
        "//host/",
      ],
      ...["/%22%0a%7c", "/a#b", '/"|green|500|OK|127.0.0.1:1|0.001|0|1|GET|1|1|/x'],
    ];
    // Of the proxy, or of an instance.
    let [answered, refused] = [0, 0];
    const { blue, green } = await counted(async () => {
      for (const target of targets) {
        const client = await RawConnection.open(proxy.spec.proxy.port);
        const lines = ["Host: shop.example", `Cookie: bluegreen-bucket=${BUCKET.green}`];
        client.ask(`GET ${target} HTTP/1.1`, ...lines);
        if ((await client.answer()).status === 200) answered += 1;
        else refused += 1;
        client.close();
      }
    });
    expect(answered).toBeGreaterThan(0);
    expect(green).toMatchObject({ errors: 0, classes: { "2xx": answered } });
    expect(green.classes?.["4xx"] ?? 0).toBeLessThanOrEqual(refused);
    expect(green.requests - answered).toBeLessThanOrEqual(refused);
    expect(failed(green)).toBe(0);
    expect(blue).toEqual({ requests: 0, errors: 0, classes: {} });
    const forged = "/forged x|1, 203.0.113.9";
    const more = await counted(() =>
      get("blue", "/by-balancer", { from: BALANCER, headers: { "x-forwarded-for": forged } }),
    );
    const one = { requests: 1, errors: 0, classes: { "2xx": 1 } };
    expect(more.blue).toEqual(one);
    expect(more.clientsOf("blue", "203.0.113.9") ?? one).toEqual(one);
    const pages = await proxy.driver.popularPages!();
    expect(pages.filter((path) => !/^\/(?!\/)[^"\\#?]*$/.test(path) || path.startsWith("/forged"))).toEqual(
      [],
    );
  });

  // A client that chooses what it is counted as could be many, and so decide about a release.
  test.each([
    { reported: "1.1.1.1, 2.2.2.2", client: "2.2.2.2" },
    { reported: "1.1.1.1, 2.2.2.2:4711", client: "2.2.2.2" },
    { reported: "1.1.1.1, 2001:db8::7", client: "2001:db8::7" },
    { reported: "1.1.1.1, [2001:db8::7]:4711", client: "2001:db8::7", orBalancer: true },
    { reported: "1.1.1.1, unknown", client: BALANCER },
    { reported: "1.1.1.1, ", client: BALANCER },
    { reported: '1.1.1.1, "x, 2.2.2.2', client: "2.2.2.2", orBalancer: true },
    { reported: '1.1.1.1:"x, 2.2.2.2', client: "2.2.2.2", orBalancer: true },
    { reported: '1.1.1.1"x, 2.2.2.2', client: "2.2.2.2", orBalancer: true },
    { reported: '1.1.1.1, "x, 2.2.2.2"', client: BALANCER },
  ])("a client behind a balancer that reports $reported is $client", async (row) => {
    const { reported, client, orBalancer = false } = row;
    const before = await settled();
    await get("blue", "/", { from: BALANCER, headers: { "x-forwarded-for": reported } });
    const { blue } = await settled();
    const found = Object.entries(blue.clients ?? {}).flatMap(([key, { requests }]) =>
      requests > (before.blue.clients?.[key]?.requests ?? 0) ? [key.split("|")[0]] : [],
    );
    expect(found).toHaveLength(1);
    // HAProxy does not read all of these.
    const isCoarse = kind.name === "haproxy" && orBalancer;
    expect(isCoarse ? [client, BALANCER] : [client]).toContain(found[0]);
  });

  test("counts requests and errors of each endpoint", async () => {
    const [first] = proxy.backends.filter(({ slot }) => slot === "green");
    const { endpointsOf, green } = await counted(async () => {
      await all("green", Array<string>(6).fill("/"));
      first!.trouble = { status: 500 };
      await all("green", Array<string>(6).fill("/a"));
      first!.trouble = { breaksOff: "/b" };
      await all("green", Array<string>(6).fill("/b"));
      first!.trouble = {};
    });
    const { "web-1": bad, "web-2": good } = endpointsOf("green");
    expect(bad!.requests + good!.requests).toBe(green.requests);
    expect([bad!.errors, good!.errors]).toEqual([green.errors, 0]);
    expect(green.errors).toBeGreaterThanOrEqual(4);
    expect(good!.requests).toBeGreaterThanOrEqual(6);
  });

  describe("pages that users ask for most", () => {
    const pages = async (): Promise<readonly string[]> => {
      await sleep(REPORTED_WITHIN_MS);
      return proxy.driver.popularPages!();
    };

    test("come first, without query strings", async () => {
      await all("blue", ["/most?a=1", "/most?b=2", "/most", "/more", "/more?c=/d", "/least"]);
      const found = await pages();
      expect(found.filter((path) => /^\/(most|more|least)$/.test(path))).toEqual([
        "/most",
        "/more",
        "/least",
      ]);
      expect(found.filter((path) => path.includes("?"))).toEqual([]);
    });

    test("are those that users get with GET and an answer below 400, and no health, private or long path", async () => {
      const long = `/${"l".repeat(LONGEST_PAGE)}`;
      for (const method of ["POST", "HEAD", "PUT"]) await get("blue", "/method", { method });
      await all("blue", ["/status/404", "/status/500", "/half", "/health", PRIVATE, long]);
      const unwanted = ["/method", "/status/404", "/status/500", "/health", PRIVATE];
      const found = await pages();
      expect(found.filter((path) => unwanted.includes(path) || path.startsWith("/ll"))).toEqual([]);
      await get("blue", "/status/302");
      expect(await pages()).toContain("/status/302");
    });

    test("are those of the slot that is live", async () => {
      await all("green", Array<string>(9).fill("/of-the-candidate"));
      expect(await pages()).not.toContain("/of-the-candidate");
      await watch({ live: "green", weight: 50 });
      await get("green", "/of-the-candidate", { bucket: BUCKET.blue });
      expect(await pages()).toContain("/of-the-candidate");
    });

    test("may have any characters", async () => {
      const odd = [
        ...[
          "/a=b",
          "/key=1/use=0",
          "/a%20b",
          "/%C3%BC",
          "/%01%0a%0d",
          "/x|y;z=1",
          "/q'`",
          "/a,b:c@d!$&()*+~",
        ],
        ...["/[]{}^<>", "/%25", `/${"l".repeat(LONGEST_PAGE - 1)}`],
      ];
      await all("blue", odd);
      expect(await pages()).toEqual(expect.arrayContaining(odd));
    });

    test(`are at most ${MOST_PAGES}`, async () => {
      await all(
        "blue",
        Array.from({ length: 2 * MOST_PAGES }, (_, index) => `/page/${index}`),
      );
      expect(await pages()).toHaveLength(MOST_PAGES);
    });

    (kind.measuresOnRequest ? test : () => undefined)(
      "are counted only while a release is watched",
      async () => {
        await proxy.driver.measureLatencies!(false);
        for (let turn = 0; turn < 9; turn += 1) await get("blue", "/unwatched");
        await watch({ weight: 50 });
        expect(await pages()).not.toContain("/unwatched");
      },
    );
  });
}

function moreOf(before: SlotCounts | ClientCounts | undefined, now: SlotCounts | ClientCounts): More {
  const classes = ANSWER_CLASSES.flatMap((each) => {
    const more = (now.classes?.[each] ?? 0) - (before?.classes?.[each] ?? 0);
    return more === 0 ? [] : [[each, more] as const];
  });
  return {
    requests: now.requests - (before?.requests ?? 0),
    errors: now.errors - (before?.errors ?? 0),
    classes: now.classes === undefined ? undefined : Object.fromEntries(classes),
  };
}

/** Of all of a client's buckets; undefined if the driver does not tell clients apart. */
function clientsOf(before: SlotCounts, now: SlotCounts, address: string): More | undefined {
  if (now.clients === undefined) return undefined;
  const found = Object.entries(now.clients).filter(([key]) => key.startsWith(`${address}|`));
  const all = found.map(([key, client]) => moreOf(before.clients?.[key], client));
  if (all.length !== 1) throw new Error(`${address} has ${all.length} buckets`);
  return all[0]!;
}

function endpointsOf(before: SlotCounts, now: SlotCounts) {
  const entries = now.endpoints.map(({ server, requests, errors }) => {
    const last = before.endpoints.find((each) => each.server === server);
    return [server, { requests: requests! - last!.requests!, errors: errors! - last!.errors! }] as const;
  });
  return Object.fromEntries(entries);
}

function failed({ classes = {} }: More): number {
  return (classes["5xx"] ?? 0) + (classes.none ?? 0);
}
