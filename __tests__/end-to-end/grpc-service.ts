/**
 * The gRPC service of `grpc-shop/`, built with the real .NET SDK and packages of NuGet, and its clients. The build is kept
 * below node_modules until a source changes.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import type { Deployment } from "../../cli/deployment/outcome";
import { describeEndToEnd, follow, REPOSITORY, until, World } from "./world";
import type { Running } from "./world";

const SOURCES = join(__dirname, "grpc-shop");
const BUILDS = join(REPOSITORY, "node_modules/.cache/bluegreen-grpc-shop");
const SDK = 10;
const LONG_STREAMS = 4;
const ENV = {
  ...{ DOTNET_NOLOGO: "1", DOTNET_CLI_TELEMETRY_OPTOUT: "1" },
  ...{ MSBUILDDISABLENODEREUSE: "1", UseSharedCompilation: "false" },
};

/** The service answers a plain request over HTTP/2, and gRPC's own health protocol: an empty question, SERVING. */
const VERIFICATION = {
  ...{ path: "/health", intervalSeconds: 0.1, deadlineSeconds: 30, bodyPattern: "^healthy$" },
  smoke: [
    {
      ...{ method: "POST", path: "/grpc.health.v1.Health/Check", body: "\u0000\u0000\u0000\u0000\u0000" },
      headers: { "content-type": "application/grpc", te: "trailers" },
      ...{ bodyPattern: "\u0008\u0001$", headerPatterns: { "grpc-status": "^0$" } },
    },
  ],
};
const ENVIRONMENT = {
  start: ["dotnet", "Shop.dll"],
  proxies: { driver: "haproxy", http: { instances: "http2" } },
  verification: VERIFICATION,
  schedule: {
    ...{ strategy: "canary", steps: [20, 100], stepSeconds: 2, bakeSeconds: 2, drainSeconds: 10 },
    analysis: { intervalSeconds: 1, minimumRequests: 10, maxErrorRatio: 0.05 },
  },
  measurement: { rate: 10 },
};

const Counts = z.object({
  unary: z.number(),
  streams: z.number(),
  longStreams: z.number(),
  /** Streams that got their first message and not yet the last. */
  open: z._default(z.number(), 0),
  /** Calls that the service itself failed. */
  failing: z._default(z.number(), 0),
  /** Answers to unary calls, by release. */
  releases: z.record(z.string(), z.number()),
  lost: z._default(z.array(z.string()), []),
  losses: z._default(z.number(), 0),
});
type Counts = z.infer<typeof Counts>;

/** @returns the folder with the built service. @throws Error with the tools' output where there is no SDK or no NuGet. */
function builtGrpcShop(): string {
  const digest = createHash("sha256");
  for (const name of readdirSync(SOURCES).sort())
    digest.update(name).update(readFileSync(join(SOURCES, name)));
  const built = join(BUILDS, digest.digest("hex").slice(0, 16));
  if (existsSync(built)) return built;
  const [major = ""] = dotnet("--version").split(".");
  if (Number(major) < SDK) throw new Error(`the .NET SDK is ${major}, and ${SDK} is needed`);
  mkdirSync(BUILDS, { recursive: true });
  const work = mkdtempSync(join(BUILDS, "work-"));
  try {
    cpSync(SOURCES, join(work, "sources"), { recursive: true });
    dotnet("publish", join(work, "sources"), "--configuration", "Release", "--output", join(work, "built"));
    renameSync(join(work, "built"), built);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return built;
}

function dotnet(...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync("dotnet", args, {
    env: { ...process.env, ...ENV },
    encoding: "utf8",
  });
  if (status === 0) return stdout;
  const output = `${stdout ?? ""}${stderr ?? ""}`.trim().split("\n").slice(-4).join(" | ");
  throw new Error(`dotnet ${args[0]}: ${error?.message ?? output}`);
}

/** Where the service can be built; elsewhere it is skipped, with a line that reports it. */
export function describeGrpc(title: string, tests: () => void): void {
  try {
    builtGrpcShop();
  } catch (error) {
    console.warn(`skipped, ${(error as Error).message}: ${title}`);
    describe.skip(title, tests);
    return;
  }
  describeEndToEnd(title, tests);
}

/** A project whose release 1.0.0 of the service is live. */
export class GrpcShop {
  private constructor(readonly world: World) {}

  static async released(): Promise<GrpcShop> {
    const shop = new GrpcShop(await World.create({ environment: ENVIRONMENT }));
    expect(await shop.release("1.0.0")).toMatchObject({ outcome: "installed" });
    return shop;
  }

  /** @param failing how many of a hundred unary calls fail. */
  release(version: string, failing = 1, ...options: string[]): Promise<Deployment> {
    const folder = this.world.path(`packages/${version}`);
    cpSync(builtGrpcShop(), folder, { recursive: true });
    writeFileSync(join(folder, "FAILURES.txt"), String(failing));
    return this.world.deploy("release", version, "--artifact", folder, ...options);
  }
}

/** 23 clients on as many connections, which repeat nothing: unary calls, short streams, and streams of three seconds. */
export class GrpcClients {
  private constructor(
    private readonly running: Running,
    private readonly ask: (last: boolean) => void,
  ) {}

  /** @returns once streams are open. */
  static async start(address: string): Promise<GrpcClients> {
    const child = spawn("dotnet", [join(builtGrpcShop(), "Shop.dll"), address], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...ENV },
    });
    const clients = new GrpcClients(follow(child), (last) =>
      last ? child.stdin.end() : child.stdin.write("\n"),
    );
    await until(async () => (await clients.counts()).open >= LONG_STREAMS, "streams are open");
    return clients;
  }

  /** What they got so far. */
  private async counts(): Promise<Counts> {
    const before = this.lines().length;
    this.ask(false);
    await until(() => this.lines().length > before, "the clients report", { running: this.running });
    return this.parse(this.lines().at(-1)!);
  }

  /** Lets what runs end. @returns what they got. */
  async stop(): Promise<Counts> {
    this.ask(true);
    const { exitCode, stderr } = await this.running.ended;
    if (exitCode !== 0) throw new Error(`the clients ended with ${exitCode}: ${stderr}`);
    return this.parse(this.lines().at(-1)!);
  }

  private lines(): string[] {
    return this.running.stdout().split("\n").slice(0, -1);
  }

  private parse(line: string): Counts {
    return z.parse(Counts, JSON.parse(line));
  }
}
