/** The example's form in three steps, whose answers are in the memory of one process: what another process does with them. */
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { endSites, startSite, unpackedRelease } from "./socialgoal-site";
import type { Site } from "./socialgoal-site";

const LOST = "/goals/new/title?lost";
let workplace: string;
let dataFolder: string;

beforeAll(async () => {
  workplace = await fs.mkdtemp(path.join(os.tmpdir(), "socialgoal-sessions-"));
});
beforeEach(async () => {
  dataFolder = await fs.mkdtemp(path.join(workplace, "data-"));
});
afterEach(endSites);
afterAll(() => fs.rm(workplace, { recursive: true, force: true }));

async function start(environment: Record<string, string> = {}, version = "1.0.0"): Promise<Site> {
  const site = await startSite(await unpackedRelease(workplace, version), {
    DATA_FOLDER: dataFolder,
    BLUEGREEN_RELEASE_ID: `${version}-7`,
    ...environment,
  });
  await site.says("ready");
  return site;
}

/** A browser: it keeps the cookies of all answers, whichever process gave them. */
class Browser {
  readonly cookies = new Map<string, string>();

  async get(site: Site, address: string): Promise<Response> {
    return this.keep(await site.fetch(address, { headers: this.headers() }));
  }

  async submit(site: Site, address: string, fields: Record<string, string>): Promise<Response> {
    return this.keep(await site.submit(address, fields, this.headers()));
  }

  /** The first step. */
  async begin(site: Site, title: string): Promise<void> {
    const answer = await this.submit(site, "/goals/new/title", { title });
    expect(whereTo(answer)).toBe("303 /goals/new/description");
  }

  private headers(): Record<string, string> {
    return { cookie: [...this.cookies].map((pair) => pair.join("=")).join("; ") };
  }

  private keep(answer: Response): Response {
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      this.cookies.set(name!, value!);
    }
    return answer;
  }
}

const whereTo = (answer: Response) => `${answer.status} ${answer.headers.get("location")}`;

test.each(["1.0.0", "1.1.0", "1.4.0"])(
  "release %s: the form is filled in step by step, by a user who is signed in",
  async (version) => {
    const site = await start({}, version);
    const ada = new Browser();
    await ada.submit(site, "/account/login", { name: "Ada" });
    await ada.begin(site, "Run a marathon");
    expect(await (await ada.get(site, "/goals/new/description")).text()).toContain("Run a marathon");
    const described = await ada.submit(site, "/goals/new/description", { description: "Before I am 50" });
    expect(whereTo(described)).toBe("303 /goals/new/confirmation");
    const confirmation = await (await ada.get(site, "/goals/new/confirmation")).text();
    expect(confirmation).toContain("Run a marathon");
    expect(confirmation).toContain("Before I am 50");
    const saved = await ada.submit(site, "/goals/new/confirmation", {});
    const [, id] = /^303 \/goals\/(\d{13}-[0-9a-f-]{36})$/.exec(whereTo(saved))!;
    expect(await (await site.fetch(`/api/goals/${id}`)).json()).toMatchObject({
      title: "Run a marathon",
      description: "Before I am 50",
      author: "Ada",
    });
    // The last step ended the session: sent twice, it saves one goal.
    expect(whereTo(await ada.submit(site, "/goals/new/confirmation", {}))).toBe(`303 ${LOST}`);
    const all = (await (await site.fetch("/api/goals?ids=only")).json()) as { ids: string[] };
    expect(all.ids).toEqual([id]);
  },
);

test("a session's cookie ends with the browser, and is secure if the proxy has TLS", async () => {
  const site = await start();
  const cookieOf = async (headers: Record<string, string>) =>
    (await site.submit("/goals/new/title", { title: "Sleep" }, headers)).headers.get("set-cookie");
  const plain = /^socialgoal_memory=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax$/;
  expect(await cookieOf({})).toMatch(plain);
  expect(await cookieOf({ "x-forwarded-proto": "https" })).toMatch(/; SameSite=Lax; Secure$/);
});

test.each([
  ["GET", "/goals/new/description"],
  ["POST", "/goals/new/description"],
  ["GET", "/goals/new/confirmation"],
  ["POST", "/goals/new/confirmation"],
])("another process, or the same one started again, does not know it: %s %s", async (method, address) => {
  const [one, other] = await Promise.all([start(), start()]);
  const user = new Browser();
  await user.submit(one, "/account/login", { name: "Ada" });
  await user.begin(one, "Sleep");
  const next = (site: Site) =>
    method === "GET" ? user.get(site, address) : user.submit(site, address, { description: "Well" });
  expect(whereTo(await next(other))).toBe(`303 ${LOST}`);
  const first = await (await user.get(other, LOST)).text();
  expect(first).toContain("What you wrote is lost");
  // The login survives, as it is no server's.
  expect(first).toContain("Signed in as <b>Ada</b>");
  await user.begin(other, "Sleep more");
  expect((await user.get(other, "/goals/new/description")).status).toBe(200);

  await endSites();
  expect(whereTo(await next(await start()))).toBe(`303 ${LOST}`);
});

test("an invented or empty cookie counts as none", async () => {
  const site = await start();
  await new Browser().begin(site, "Sleep");
  for (const cookie of ["", "socialgoal_memory=", "socialgoal_memory=x", "socialgoal_memory=__proto__"]) {
    const answer = await site.fetch("/goals/new/description", { headers: { cookie } });
    expect(whereTo(answer)).toBe(`303 ${LOST}`);
  }
});

test("a refused step is shown again, and the session stays", async () => {
  const site = await start();
  const user = new Browser();
  expect((await user.submit(site, "/goals/new/title", { title: " " })).status).toBe(400);
  await user.begin(site, "Sleep");
  const refused = await user.submit(site, "/goals/new/description", { description: "x".repeat(5_001) });
  expect(refused.status).toBe(400);
  expect(await refused.text()).toContain("must be at most 5000");
  expect((await user.get(site, "/goals/new/description")).status).toBe(200);
});

test("an idle session expires, one in use does not", async () => {
  const site = await start({ SESSION_IDLE_SECONDS: "1" });
  const [idle, busy] = [new Browser(), new Browser()];
  await Promise.all([idle.begin(site, "Sleep"), busy.begin(site, "Run")]);
  const longer = Date.now() + 1_500;
  while (Date.now() < longer) {
    expect((await busy.get(site, "/goals/new/description")).status).toBe(200);
  }
  expect(whereTo(await idle.get(site, "/goals/new/description"))).toBe(`303 ${LOST}`);
});

test("beyond the maximum the session ends that was not used for the longest time", async () => {
  const site = await start({ MOST_SESSIONS: "3" });
  const users = Array.from({ length: 4 }, () => new Browser());
  for (const user of users.slice(0, 3)) await user.begin(site, "Sleep");
  await users[0]!.get(site, "/goals/new/description");
  await users[3]!.begin(site, "Sleep");
  const statuses = await Promise.all(users.map((user) => user.get(site, "/goals/new/description")));
  expect(statuses.map(({ status }) => status)).toEqual([200, 303, 200, 200]);
});

test.each([
  ["SESSION_IDLE_SECONDS", "0"],
  ["MOST_SESSIONS", "many"],
])("does not start with %s=%s", async (name, value) => {
  await expect(start({ [name]: value })).rejects.toThrow(
    `${name} must be a whole number from 1, not '${value}'`,
  );
});
