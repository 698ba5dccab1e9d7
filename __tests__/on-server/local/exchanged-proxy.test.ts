/** Base exchanges one kind of proxy for another: users get the stable release again as soon as the new one runs. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeSpec } from "../../../configuration/director-spec";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { freePort } from "../../../development/testbed/ports";
import { follow, succeed, until } from "../../../development/testbed/processes";
import { CLOSED } from "../../../on-server/director/drivers/driver";
import type { Traffic } from "../../../on-server/director/drivers/driver";
import { KINDS } from "../../../on-server/director/drivers/kinds";
import { NEVER_LIVE } from "../../../on-server/director/state";
import type { State } from "../../../on-server/director/state";
import { ProxyStatus } from "../../../release/director-status";
import type { PlacedRelease } from "../../../release/director-status";
import { parseFile } from "../../../release/validation";
import { env } from "../director/proxy-kinds";
import { Backend, proxySpec } from "../director/proxy-under-test";
import { HOST, LocalProxy } from "./local-proxy";

const KIND_NAMES = ["haproxy", "nginx", "embedded"] as const;
type KindName = (typeof KIND_NAMES)[number];

const TO_GREEN: Traffic = { ...CLOSED, live: "green" };
const TO_BLUE: Traffic = { ...CLOSED, live: "blue" };
const PAUSED: Traffic = { live: "blue", weight: 30, offset: 7, mode: "serve", fallback: true };

const missing = KIND_NAMES.filter(
  (name) => name !== "embedded" && spawnSync(name, ["-v"], { env }).status !== 0,
);
if (missing.length > 0)
  console.warn(`${missing.join(" and ")} not installed: NO EXCHANGE OF PROXIES is tested here`);
const describeIfInstalled = missing.length === 0 ? describe : describe.skip;

let proxy: LocalProxy;
let blue: Backend;
let green: Backend;
const home = process.cwd();

beforeEach(async () => {
  proxy = await LocalProxy.create();
  blue = new Backend("blue", await freePort());
  green = new Backend("green", await freePort());
  await Promise.all([blue.start(), green.start()]);
});
afterEach(async () => {
  await proxy.end();
  await Promise.all([blue.stop(), green.stop()]);
});

function specOf(driver: KindName): DirectorSpec {
  const spec = proxySpec({ driver, topology: "sideBySide", servers: 1 });
  const endpoint = (listens: number) => [{ server: "web-1", host: HOST, port: listens }];
  const endpoints = { blue: endpoint(blue.port), green: endpoint(green.port) };
  return { ...spec, proxy: { ...spec.proxy, port: proxy.port }, endpoints };
}

/** As Terraform does it when base has another driver. */
async function exchange(driver: KindName): Promise<void> {
  await proxy.stop();
  await start(driver);
}

const start = (driver: KindName): Promise<void> => proxy.start(specOf(driver));

async function statusOf(driver: KindName): Promise<ProxyStatus> {
  const args = ["director.js", "status", "--spec", encodeSpec(specOf(driver))];
  const child = spawn(process.execPath, args, { cwd: proxy.folder, env });
  const { stdout } = await succeed(follow(child).ended);
  return parseFile(ProxyStatus, stdout, "the status");
}

/** stop-server.sh ends every process that works in the folder: this one may be there only meanwhile. */
async function inFolder<Result>(work: () => Promise<Result>): Promise<Result> {
  process.chdir(proxy.folder);
  try {
    return await work();
  } finally {
    process.chdir(home);
  }
}

const served = (driver: KindName): Promise<Traffic> =>
  inFolder(() => KINDS[driver].driver(specOf(driver)).observe());

const stateFile = (): string => proxy.file("state.json");

/** What the director would have written; without a traffic file of any proxy. */
function remember(intended: Traffic, more: Partial<State> = {}): void {
  const state: State = { ...NEVER_LIVE, sequence: 2, traffic: { intended, before: CLOSED }, ...more };
  writeFileSync(stateFile(), JSON.stringify(state));
}

/** As the director does it: first its state, then the proxy. */
async function move(driver: KindName, intended: Traffic): Promise<void> {
  remember(intended, { traffic: { intended, before: await served(driver) } });
  await inFolder(() => KINDS[driver].driver(specOf(driver)).setTraffic(intended));
}

/** Asks all the time. A connection that nobody accepts, or that ends with the old proxy, is the restart. */
class Users {
  readonly slots: string[] = [];
  readonly wrong: string[] = [];
  restarted = 0;
  private stopped = false;
  private readonly all = Array.from({ length: 4 }, () => this.use());

  private async use(): Promise<void> {
    while (!this.stopped) {
      try {
        const answer = await fetch(`http://${HOST}:${proxy.port}/`);
        const text = await answer.text();
        const slot = answer.headers.get("x-slot");
        if (answer.status === 200 && slot !== null) this.slots.push(slot);
        else this.wrong.push(`${answer.status} ${text.slice(0, 200)}`);
      } catch {
        this.restarted += 1;
      }
      await sleep(5);
    }
  }

  /** The slots of the next answers. @throws Error if one is missing */
  async next(answers = 40): Promise<Set<string>> {
    const [from, restarted] = [this.slots.length, this.restarted];
    await until(() => this.slots.length >= from + answers || this.wrong.length > 0, `${answers} answers`);
    expect({ wrong: this.wrong, lost: this.restarted - restarted }).toEqual({ wrong: [], lost: 0 });
    return new Set(this.slots.slice(from + 4));
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.all);
  }
}

describeIfInstalled("an exchange of the driver", () => {
  test("haproxy, nginx, embedded, haproxy: users get the stable release from each, and only the restart is noticed", async () => {
    remember(TO_GREEN);
    await start("haproxy");
    const users = new Users();
    try {
      expect(await users.next()).toEqual(new Set(["green"]));
      await exchange("nginx");
      expect(await users.next()).toEqual(new Set(["green"]));
      // HAProxy's files keep green: it must not return to that.
      await move("nginx", TO_BLUE);
      expect(await users.next()).toEqual(new Set(["blue"]));
      await exchange("embedded");
      expect(await users.next()).toEqual(new Set(["blue"]));
      await exchange("haproxy");
      expect(await users.next()).toEqual(new Set(["blue"]));
      expect(users.wrong).toEqual([]);
    } finally {
      await users.stop();
    }
  });

  test.each(KIND_NAMES)("%s takes over a paused release: both slots, at their weight", async (driver) => {
    remember(PAUSED);
    await start(driver);
    expect(await served(driver)).toEqual(PAUSED);
  });

  test.each(KIND_NAMES)(
    "%s keeps its traffic if a director was killed before it set what it intended",
    async (driver) => {
      remember(TO_GREEN);
      await start(driver);
      await proxy.stop();
      remember(PAUSED, { finished: false, traffic: { intended: PAUSED, before: TO_GREEN } });
      await start(driver);
      expect(await served(driver)).toEqual(TO_GREEN);
    },
  );

  test.each(KIND_NAMES)("%s of a new environment has nothing to take over", async (driver) => {
    await start(driver);
    expect(existsSync(stateFile())).toBe(false);
    expect(await served(driver)).toEqual(CLOSED);
  });

  test.each(KIND_NAMES)(
    "%s: the status has what its users get, whatever the director recorded",
    async (driver) => {
      const recorded: PlacedRelease = {
        ...{ slot: "green", releaseId: "1.1.0-2" },
        ...{ sha256: "a".repeat(64), contracts: [] },
      };
      await start(driver);
      remember(TO_GREEN, { stable: recorded });
      expect(await statusOf(driver)).toMatchObject({
        users: { healthy: false, releaseId: null, problem: "answers 503, not 200" },
      });
      await move(driver, TO_GREEN);
      remember(TO_GREEN, { stable: recorded });
      expect(await statusOf(driver)).toMatchObject({
        users: { healthy: true, releaseId: "1.1.0-2", problem: "" },
      });
      green.releaseId = "0.9.0-9";
      const { users, endpoints } = await statusOf(driver);
      expect(users).toEqual({ healthy: true, releaseId: "0.9.0-9", problem: "" });
      expect(endpoints.green[0]).toMatchObject({ releaseId: "0.9.0-9" });
    },
  );

  test("a damaged state does not change what a proxy starts with", async () => {
    remember(TO_GREEN);
    await start("haproxy");
    await proxy.stop();
    writeFileSync(stateFile(), "{");
    const map = proxy.file("traffic.map");
    const before = readFileSync(map, "utf8");
    const configure = ["director.js", "configure", "--spec", encodeSpec(specOf("haproxy"))];
    const { status } = spawnSync(process.execPath, configure, { cwd: proxy.folder, env });
    expect({ status, map: readFileSync(map, "utf8") }).toEqual({ status: 0, map: before });
  });
});
