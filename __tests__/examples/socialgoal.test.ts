/** The example application, as its releases are shipped: packed, unpacked, started as real processes. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as http from "node:http";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { promisify } from "node:util";
import { packAll, packRelease } from "../../examples/socialgoal/pack";
import { endSites, startSite } from "./socialgoal-site";
import type { Site } from "./socialgoal-site";

const run = promisify(execFile);
const PACK = path.resolve(__dirname, "../../examples/socialgoal/pack.ts");
const TSX = require.resolve("tsx/cli");

let workplace: string;
let dataFolder: string;

beforeAll(async () => {
  workplace = await fs.mkdtemp(path.join(os.tmpdir(), "socialgoal-"));
  for (const { file, version } of [
    ...(await packAll(path.join(workplace, "packages"))),
    await packRelease({ version: "1.1.1", from: "1.1.0", to: path.join(workplace, "packages") }),
  ]) {
    await fs.mkdir(releaseFolder(version), { recursive: true });
    await run("unzip", ["-q", file, "-d", releaseFolder(version)]);
  }
});

beforeEach(async () => {
  dataFolder = await fs.mkdtemp(path.join(workplace, "data-"));
});

afterEach(endSites);

afterAll(() => fs.rm(workplace, { recursive: true, force: true }));

const releaseFolder = (version: string) => path.join(workplace, "releases", version);

/** Starts a release and waits until it listens. */
function start(version: string, environment: Record<string, string> = {}): Promise<Site> {
  return startSite(releaseFolder(version), {
    DATA_FOLDER: dataFolder,
    BLUEGREEN_RELEASE_ID: `${version}-7`,
    BLUEGREEN_SLOT: "blue",
    BLUEGREEN_SERVER: "web1",
    ...environment,
  });
}

async function startReady(version: string, environment: Record<string, string> = {}): Promise<Site> {
  const site = await start(version, environment);
  await site.says("ready");
  return site;
}

async function addGoal(site: Site, title: string): Promise<string> {
  const answer = await site.post("/api/goals", { title });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { id: string }).id;
}

/** Every id there is, page by page. */
async function allIds(site: Site, limit = 100): Promise<string[]> {
  const ids: string[] = [];
  for (let after = ""; ;) {
    const page = await site.fetch(`/api/goals?ids=only&limit=${limit}${after}`);
    const { ids: found, next } = (await page.json()) as { ids: string[]; next: string | null };
    ids.push(...found);
    if (next === null) return ids;
    after = `&after=${next}`;
  }
}

/** A raw exchange over one socket, until the server closes it. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = net.connect(port, "127.0.0.1");
  let answer = "";
  socket.on("data", (chunk) => (answer += chunk.toString()));
  socket.write(text);
  await once(socket, "close");
  return answer;
}

describe("every good release", () => {
  test.each(["1.0.0", "1.1.0", "1.1.1", "1.4.0"])(
    "%s is healthy and says which release it is",
    async (version) => {
      const site = await startReady(version);
      const health = await site.fetch("/health");
      expect(health.status).toBe(200);
      expect(health.headers.get("x-release-id")).toBe(`${version}-7`);
      expect(await health.json()).toEqual({ status: "ok", release: `${version}-7`, version });
      expect(await (await site.fetch("/version")).json()).toEqual({
        version,
        release: `${version}-7`,
        slot: "blue",
        server: "web1",
      });
    },
  );

  test.each(["1.0.0", "1.1.0", "1.4.0"])(
    "%s lets people set a goal and tell how it is going",
    async (version) => {
      const site = await startReady(version);
      const created = await site.submit("/goals", { title: "Run a marathon", description: "Before I am 50" });
      expect(created.status).toBe(303);
      const goal = created.headers.get("location") ?? "";
      const updated = await site.submit(`${goal}/updates`, { text: "Ran 10 km", progress: "25" });
      expect(updated.status).toBe(303);
      expect(updated.headers.get("location")).toBe(goal);

      const page = await (await site.fetch(goal)).text();
      for (const text of ["Run a marathon", "Before I am 50", "Ran 10 km", "25 %"])
        expect(page).toContain(text);
      const list = await (await site.fetch("/")).text();
      expect(list).toContain(`<a href="${goal}">Run a marathon</a>`);
      expect(list).toContain("25 %");
      expect((await site.fetch("/goals/new")).status).toBe(200);
      expect((await site.fetch("/account/login")).status).toBe(200);
    },
  );
});

describe("the API", () => {
  test("creates goals and updates, and shows them", async () => {
    const site = await startReady("1.0.0");
    const created = await site.post("/api/goals", { title: "Learn Greek", description: "Alpha" });
    expect(created.status).toBe(201);
    const goal = (await created.json()) as { id: string };
    expect(goal).toMatchObject({ title: "Learn Greek", description: "Alpha", author: null });
    expect(created.headers.get("location")).toBe(`/api/goals/${goal.id}`);
    const updated = await site.post(`/api/goals/${goal.id}/updates`, { text: "Beta", progress: 8 });
    expect(updated.status).toBe(201);
    expect(await (await site.fetch(`/api/goals/${goal.id}`)).json()).toMatchObject({
      ...goal,
      progress: 8,
      updates: [{ text: "Beta", progress: 8 }],
    });
  });

  test("lists goals newest first, page by page", async () => {
    const site = await startReady("1.0.0");
    const ids: string[] = [];
    for (let number = 1; number <= 105; number++) ids.push(await addGoal(site, `Goal ${number}`));
    const { goals, next } = (await (await site.fetch("/api/goals")).json()) as {
      goals: { id: string }[];
      next: string;
    };
    expect(goals).toHaveLength(100);
    expect(next).toBe(goals.at(-1)?.id);
    expect((await allIds(site, 20)).sort()).toEqual(ids.sort());
    expect((await (await site.fetch("/")).text()).match(/<li>/g)).toHaveLength(50);
  });

  test.each([
    ["/api/goals", "no json", "the body is not JSON"],
    ["/api/goals", [], "the body must be a JSON object"],
    ["/api/goals", {}, "'title' must be a text"],
    ["/api/goals", { title: "  " }, "'title' must not be empty"],
    ["/api/goals", { title: "x".repeat(201) }, "'title' (201 characters) must be at most 200"],
    ["/api/goals", { title: "x", description: 1 }, "'description' must be a text"],
    ["updates", { text: "x" }, "'progress' must be a whole number from 0 to 100"],
    ["updates", { text: "x", progress: 101 }, "'progress' must be a whole number from 0 to 100"],
    ["updates", { progress: 1 }, "'text' must be a text"],
  ])("refuses bad input: %s %j", async (address, body, error) => {
    const site = await startReady("1.0.0");
    const goal = await addGoal(site, "Sleep");
    const answer = await site.post(address === "updates" ? `/api/goals/${goal}/updates` : address, body);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toBe(JSON.stringify({ error }) + "\n");
  });

  test("answers 400, 404, 405 and 413, each with the release id", async () => {
    const site = await startReady("1.0.0");
    const nowhere = "0000000000000-00000000-0000-4000-8000-000000000000";
    const answers = {
      "limit=0": await site.fetch("/api/goals?limit=0"),
      "after=x": await site.fetch("/api/goals?after=x"),
      "no such goal": await site.fetch(`/api/goals/${nowhere}`),
      "outside the folder": await site.fetch("/api/goals/..%2Fsession"),
      "updates of no goal": await site.post(`/api/goals/${nowhere}/updates`, { text: "x", progress: 1 }),
      "no page": await site.fetch("/nowhere"),
      "no method": await site.fetch("/api/goals", { method: "DELETE" }),
      "too large": await site.post("/api/goals", { title: "x", description: "x".repeat(64 * 1024) }),
      "far too large": await site.post("/api/goals", "x".repeat(3 * 1024 * 1024)),
    };
    expect(Object.fromEntries(Object.entries(answers).map(([name, { status }]) => [name, status]))).toEqual({
      "limit=0": 400,
      "after=x": 400,
      "no such goal": 404,
      "outside the folder": 404,
      "updates of no goal": 404,
      "no page": 404,
      "no method": 405,
      "too large": 413,
      "far too large": 413,
    });
    for (const answer of Object.values(answers)) expect(answer.headers.get("x-release-id")).toBe("1.0.0-7");
    expect(answers["no method"].headers.get("allow")).toBe("GET, HEAD, POST");
    expect(await answers["no such goal"].json()).toEqual({ error: "there is no such goal" });
    expect(answers["no page"].headers.get("content-type")).toContain("text/html");
  });

  test("sends the release id even where there is no request that could be read", async () => {
    const site = await startReady("1.0.0");
    for (const [text, status] of [
      ["NONSENSE\r\n\r\n", 400],
      [`GET / HTTP/1.1\r\nhost: x\r\nlong: ${"x".repeat(20_000)}\r\n\r\n`, 431],
      ["GET / HTTP/1.1\r\nhost: x\r\nexpect: miracles\r\nconnection: close\r\n\r\n", 417],
      ["GET /health HTTP/1.1\r\nconnection: close\r\n\r\n", 200],
      ["GET //health?a HTTP/1.0\r\n\r\n", 404],
    ] as const) {
      const answer = await exchange(site.port, text);
      expect(answer).toContain(`HTTP/1.1 ${status} `);
      expect(answer).toContain("x-release-id: 1.0.0-7\r\n");
    }
  });
});

describe("pages", () => {
  test("escape what people write", async () => {
    const site = await startReady("1.4.0");
    const evil = `<script>alert("1")</script>'&`;
    const safe = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;";
    const cookie = (await site.submit("/account/login", { name: evil })).headers.get("set-cookie") ?? "";
    const answer = await site.post("/api/goals", { title: evil, description: evil }, { cookie });
    const { id } = (await answer.json()) as { id: string };
    await site.post(`/api/goals/${id}/updates`, { text: evil, progress: 100 }, { cookie });
    const again = await site.submit(`/goals/${id}/updates`, { text: evil, progress: "much" });
    expect(again.status).toBe(400);
    for (const page of [
      await site.fetch("/", { headers: { cookie } }),
      await site.fetch(`/goals/${id}`),
      again,
    ]) {
      const text = await page.text();
      expect(text).toContain(safe);
      expect(text).not.toContain("<script");
    }
  });

  test("show a refused form again, with what was written and what is wrong", async () => {
    const site = await startReady("1.0.0");
    const answer = await site.submit("/goals", { title: "", description: "Kept as it was" });
    expect(answer.status).toBe(400);
    const page = await answer.text();
    expect(page).toContain("&#39;title&#39; must not be empty");
    expect(page).toContain(">Kept as it was</textarea");
  });
});

describe("signing in", () => {
  test("is valid on every process that shares the data folder, whatever its release", async () => {
    const [blue, green] = await Promise.all([startReady("1.0.0"), startReady("1.1.0")]);
    const signedIn = await blue.submit("/account/login", { name: "Ada" });
    expect(signedIn.status).toBe(303);
    const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
    for (const site of [blue, green]) {
      expect(await (await site.fetch("/", { headers: { cookie } })).text()).toContain(
        "Signed in as <b>Ada</b>",
      );
    }
    expect(await (await green.post("/api/goals", { title: "Count" }, { cookie })).json()).toMatchObject({
      author: "Ada",
    });
    const signedOut = await green.fetch("/account/logout", { method: "POST", headers: { cookie } });
    expect(signedOut.headers.get("set-cookie")).toContain("Max-Age=0");
  });

  test("is refused when the cookie was made up", async () => {
    const site = await startReady("1.0.0");
    const cookie = (await site.submit("/account/login", { name: "Ada" })).headers.get("set-cookie") ?? "";
    const [pair = ""] = cookie.split(";");
    const signature = pair.split(".")[1];
    const claim = Buffer.from(JSON.stringify({ name: "Eve", until: 9e9 })).toString("base64url");
    const forged = [
      `socialgoal_session=${claim}.${signature}`,
      "socialgoal_session=x",
      `${pair.slice(0, -1)}é`,
    ];
    for (const each of forged) {
      const page = await site.fetch("/", { headers: { cookie: each } });
      expect(page.status).toBe(200);
      expect(await page.text()).toContain(`<a href="/account/login">Sign in</a>`);
    }
  });
});

describe("the releases differ", () => {
  test("1.1.0 has another heading, another colour and progress bars", async () => {
    const [before, after] = await Promise.all([startReady("1.0.0"), startReady("1.1.0")]);
    await addGoal(before, "Grow");
    const [old, now] = await Promise.all([before, after].map(async (site) => (await site.fetch("/")).text()));
    expect(old).not.toMatch(/see how far you have come|<progress|#1d7a46/);
    expect(now).toContain("see how far you have come");
    expect(now).toContain("#1d7a46");
    expect(now).toContain(`<progress max="100" value="0">`);
  });

  test("1.4.0 marks and counts the goals that were reached", async () => {
    const site = await startReady("1.4.0");
    const goal = await addGoal(site, "Arrive");
    await addGoal(site, "Depart");
    await site.post(`/api/goals/${goal}/updates`, { text: "There", progress: 100 });
    const page = await (await site.fetch("/")).text();
    expect(page).toContain("1 of the newest 2 reached");
    expect(page.match(/Reached!/g)).toHaveLength(1);
    expect(page).toContain(`<progress max="100" value="100">`);
  });

  test("1.2.0 listens but never becomes healthy", async () => {
    const site = await start("1.2.0");
    await site.says("waiting for");
    for (let attempt = 1; attempt <= 50; attempt++) {
      const health = await site.fetch("/health");
      expect(health.status).toBe(503);
      expect(await health.json()).toEqual({ status: "starting", release: "1.2.0-7", version: "1.2.0" });
    }
    const page = await site.fetch("/");
    expect(page.status).toBe(503);
    expect(page.headers.get("x-release-id")).toBe("1.2.0-7");
    expect((await site.fetch("/version")).status).toBe(200);
    site.process.kill("SIGTERM");
    expect(await once(site.process, "exit")).toEqual([0, null]);
  });

  test("1.3.0 stays healthy but fails every seventh request for goals, without storing anything", async () => {
    const site = await startReady("1.3.0");
    const statuses: number[] = [];
    for (let number = 1; number <= 70; number++) {
      const requests = [
        () => site.fetch("/"),
        () => site.post("/api/goals", { title: `Goal ${number}` }),
        () => site.fetch("/api/goals"),
        () => site.submit("/goals", { title: `Goal ${number}` }),
      ];
      const answer = await requests[number % requests.length]!();
      statuses.push(answer.status);
      expect(answer.headers.get("x-release-id")).toBe("1.3.0-7");
      expect((await site.fetch("/health")).status).toBe(200);
      expect((await site.fetch("/version")).status).toBe(200);
      expect((await site.fetch("/account/login")).status).toBe(200);
    }
    const failed = statuses.flatMap((status, index) => (status === 500 ? [index + 1] : []));
    expect(failed).toEqual([7, 14, 21, 28, 35, 42, 49, 56, 63, 70]);
    const stored = await allIds(await startReady("1.0.0"));
    expect(stored).toHaveLength(statuses.filter((status) => status === 201 || status === 303).length);
    expect(site.output()).toContain("TypeError");
  });
});

describe("several processes on one data folder", () => {
  test("lose none of the goals that are posted at the same time", async () => {
    const sites = await Promise.all([startReady("1.0.0"), startReady("1.1.0")]);
    const posted = await Promise.all(
      Array.from({ length: 400 }, (_, number) => addGoal(sites[number % 2]!, `Goal ${number}`)),
    );
    expect(new Set(posted).size).toBe(400);
    for (const site of sites) expect((await allIds(site)).sort()).toEqual([...posted].sort());
    expect(await fs.readdir(path.join(dataFolder, "temporary"))).toEqual([]);
  });

  test("show what another process has acknowledged, at once", async () => {
    const [writer, reader] = await Promise.all([startReady("1.0.0"), startReady("1.1.0")]);
    for (let number = 1; number <= 50; number++) {
      const listings = Array.from({ length: 5 }, () => allIds(reader));
      const id = await addGoal(writer, `Goal ${number}`);
      expect(await allIds(reader)).toContain(id);
      await Promise.all(listings);
    }
  });
});

describe("a graceful stop", () => {
  test("answers the request under way, closes idle connections, takes no new ones and exits 0", async () => {
    const site = await startReady("1.0.0");
    const idle = net.connect(site.port, "127.0.0.1");
    idle.write("GET /version HTTP/1.1\r\nhost: x\r\n\r\n");
    await once(idle, "data");
    const refused = net.connect(site.port, "127.0.0.1");
    refused.write(`POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n`);
    await once(refused, "data");
    await new Promise((written) => refused.write("x".repeat(3_000_000), written));
    const silent = net.connect(site.port, "127.0.0.1");
    await once(silent, "connect");

    const body = JSON.stringify({ title: "Finish what I began" });
    const request = http.request({
      port: site.port,
      path: "/api/goals",
      method: "POST",
      agent: new http.Agent({ keepAlive: true }),
      headers: { expect: "100-continue", "content-length": body.length },
    });
    request.flushHeaders();
    await once(request, "continue");
    request.write(body.slice(0, 5));

    const exit = once(site.process, "exit");
    const closed = Promise.all([idle, refused, silent].map((socket) => once(socket.resume(), "close")));
    site.process.kill("SIGTERM");
    await closed;
    await expect(site.fetch("/health")).rejects.toThrow();

    request.end(body.slice(5));
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    expect(response.statusCode).toBe(201);
    expect(response.headers.connection).toBe("close");
    response.resume();
    expect(await exit).toEqual([0, null]);
    expect(await allIds(await startReady("1.0.0"))).toHaveLength(1);
  });

  test("waits for the rest of a request whose beginning it has read", async () => {
    const site = await startReady("1.0.0");
    const idle = net.connect(site.port, "127.0.0.1");
    const begun = net.connect(site.port, "127.0.0.1");
    await new Promise((written) => begun.write("GET /version HTTP/1.1\r\nho", written));
    await site.fetch("/version"); // Read after what came before it.

    const exit = once(site.process, "exit");
    const idleClosed = once(idle.resume(), "close");
    site.process.kill("SIGTERM");
    await idleClosed;
    begun.write("st: x\r\n\r\n");
    const [answer] = (await once(begun, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(await exit).toEqual([0, null]);
  });

  test.each(["SIGTERM", "SIGINT"] as const)("by %s under load loses no request", async (signal) => {
    const site = await startReady("1.0.0");
    const exit = once(site.process, "exit");
    const posted: string[] = [];
    const everybodyPosts = Array.from({ length: 20 }, async (_, client) => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      for (let closing = false; !closing;) {
        const body = JSON.stringify({ title: `From client ${client}` });
        const request = http.request({ port: site.port, path: "/api/goals", method: "POST", agent });
        request.end(body);
        const [response] = (await once(request, "response")) as [http.IncomingMessage];
        expect(response.statusCode).toBe(201);
        const text = (await response.toArray()).join("");
        posted.push((JSON.parse(text) as { id: string }).id);
        closing = response.headers.connection === "close";
        if (posted.length === 500) site.process.kill(signal);
      }
      agent.destroy();
    });
    await Promise.all(everybodyPosts);
    expect(await exit).toEqual([0, null]);
    expect(posted.length).toBeGreaterThanOrEqual(500);
    expect((await allIds(await startReady("1.0.0"))).sort()).toEqual(posted.sort());
  });
});

describe("the settings", () => {
  test.each([
    [{ PORT: "" }, "PORT must be a number from 0 to 65535, not ''"],
    [{ PORT: "70000" }, "PORT must be a number from 0 to 65535, not '70000'"],
    [{ DATA_FOLDER: "" }, "DATA_FOLDER must be the folder of the goals"],
    [{ BLUEGREEN_RELEASE_ID: "1.0.0 7" }, "BLUEGREEN_RELEASE_ID must be printable ASCII without spaces"],
  ])("%j is refused in one line", async (environment: Record<string, string>, message) => {
    await expect(start("1.0.0", environment)).rejects.toThrow(message);
  });

  test("a port that is taken is refused in one line", async () => {
    const { port } = await startReady("1.0.0");
    await expect(start("1.0.0", { PORT: String(port) })).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port}`,
    );
  });
});

describe("packing", () => {
  const pack = (args: string[], timeZone = "UTC") =>
    run(process.execPath, [TSX, PACK, ...args], { cwd: workplace, env: { ...process.env, TZ: timeZone } });

  test("gives the same bytes at any time and in any time zone", async () => {
    const here = await packAll(path.join(workplace, "again"));
    expect(here.map(({ version }) => version)).toEqual(["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"]);
    expect(new Set(here.map(({ sha256 }) => sha256)).size).toBe(5);
    for (const timeZone of ["Pacific/Kiritimati", "America/St_Johns"]) {
      const { stdout } = await pack(["--to", path.join(workplace, timeZone)], timeZone);
      const lines = stdout.trim().split("\n");
      expect(lines.map((line) => line.split("  ").slice(0, 2))).toEqual(
        here.map(({ version, sha256 }) => [version, sha256]),
      );
    }
    for (const { file, sha256 } of here) {
      expect((await run("sha256sum", [file])).stdout).toContain(sha256);
    }
  });

  test("takes the code of another release for a patch version", async () => {
    const { stdout } = await pack(["--from", "1.1.0", "1.1.1"]);
    expect(stdout.trim()).toMatch(
      /^1\.1\.1 {2}[0-9a-f]{64} {2}.*\.bluegreen\/packages\/socialgoal-1\.1\.1\.zip$/,
    );
    await run("diff", ["-r", "-x", "release.json", releaseFolder("1.1.0"), releaseFolder("1.1.1")]);
  });

  test("refuses a version that is none or that nobody knows, in one line", async () => {
    await expect(packRelease({ version: "../1", to: workplace })).rejects.toThrow(
      "'version' (../1) must look like 1.2.3",
    );
    await expect(pack(["9.9.9"])).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^there is no release 9\.9\.9, only 1\.0\.0, .*\n$/) as string,
    });
  });

  test("explains itself", async () => {
    expect((await pack(["--help"])).stdout).toContain("--to <folder>");
  });
});
