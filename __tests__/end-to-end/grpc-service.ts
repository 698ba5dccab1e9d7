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
import { follow, REPOSITORY, until } from "./world";
import type { Running, World } from "./world";

const SOURCES = join(__dirname, "grpc-shop");
const BUILDS = join(REPOSITORY, "node_modules/.cache/bluegreen-grpc-shop");
const SDK = 10;
const ENV = {
  ...{ DOTNET_NOLOGO: "1", DOTNET_CLI_TELEMETRY_OPTOUT: "1" },
  ...{ MSBUILDDISABLENODEREUSE: "1", UseSharedCompilation: "false" },
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
export type Counts = z.infer<typeof Counts>;

/** @returns the folder with the built service. @throws Error with the tools' output where there is no SDK or no NuGet. */
export function builtGrpcShop(): string {
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

/** A release of the service. @param failing how many of a hundred unary calls fail. */
export function packGrpcShop(world: World, version: string, failing = 1): string {
  const folder = world.path(`packages/${version}`);
  cpSync(builtGrpcShop(), folder, { recursive: true });
  writeFileSync(join(folder, "FAILURES.txt"), String(failing));
  return folder;
}

/** 23 clients on as many connections, which repeat nothing: unary calls, short streams, and streams of three seconds. */
export class GrpcClients {
  private constructor(
    private readonly running: Running,
    private readonly ask: (last: boolean) => void,
  ) {}

  static start(address: string): GrpcClients {
    const child = spawn("dotnet", [join(builtGrpcShop(), "Shop.dll"), address], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...ENV },
    });
    return new GrpcClients(follow(child), (last) => (last ? child.stdin.end() : child.stdin.write("\n")));
  }

  /** What they got so far. */
  async counts(): Promise<Counts> {
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
