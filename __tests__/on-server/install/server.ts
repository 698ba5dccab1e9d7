/** A server for the tests: a folder, a port, and the real script run with real parameters. */
import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as http from "node:http";
import type * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { crc32, gzipSync, inflateRawSync } from "node:zlib";
import { follow, until } from "../../../development/testbed/processes";
import { freePort } from "../../../development/testbed/ports";

export const SCRIPT = path.resolve(__dirname, "../../../lib/on-server/install/install-release.sh");

export interface Artifact {
  readonly file: string;
  readonly sha256: string;
}

export interface Installation {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of stdout, if it is the step's result. */
  readonly result: Record<string, unknown> | undefined;
}

/** A failure: one line on stderr for people, and the result line on stdout with the same. */
export function expectFailure({ code, stdout, stderr, result }: Installation, exitCode: number): void {
  const [, reason] = /^(?:log: [ -~]*\n)*install: ([ -~]+)\n$/.exec(stderr) ?? [];
  expect({ code, result }).toEqual({
    code: exitCode,
    result: { step: "install", outcome: "failed", exitCode, reason: reason?.slice(0, 1500) },
  });
  expect(stdout).toBe(`${JSON.stringify(result)}\n`);
}

export type Parameters = Readonly<Record<string, string | undefined>>;

/** What the fixture application does differently; read from behaviour.json in its folder. */
export interface Behaviour {
  readonly status?: number;
  readonly says?: string;
  readonly body?: string;
  readonly failures?: number;
  readonly diesSaying?: string;
  readonly ignoresSigterm?: boolean;
  readonly silent?: boolean;
  readonly hangs?: boolean;
  readonly endless?: boolean;
  readonly leavesWorker?: boolean;
  /** It speaks HTTP/2 only. */
  readonly http2?: boolean;
}

const APPLICATION = `
const http = require("http"), fs = require("fs"), { env } = process;
const b = JSON.parse(fs.readFileSync("behaviour.json", "utf8"));
if (b.diesSaying) { console.log(b.diesSaying); process.exit(7); }
process.on("SIGTERM", () => { if (!b.ignoresSigterm) process.exit(0); });
if (b.leavesWorker) require("child_process").spawn("sleep", ["1000"], { stdio: "ignore" });
if (b.silent) setInterval(() => {}, 1000);
let asked = 0;
if (!b.silent) (b.http2 ? require("http2") : http).createServer((request, response) => {
  if (b.hangs) return console.log("asked");
  if (request.url === "/environment") return response.end(JSON.stringify({ env, cwd: process.cwd(), pid: process.pid }));
  if (request.url === "/headers") return response.end(JSON.stringify(request.headers));
  response.statusCode = asked++ < (b.failures || 0) ? 503 : b.status || 200;
  if (b.status === 302) response.setHeader("location", "/environment");
  response.setHeader("x-release-id", b.says || env.BLUEGREEN_RELEASE_ID);
  if (b.endless) { const more = () => { while (response.write(Buffer.alloc(65536, 120))); response.once("drain", more); }; return more(); }
  response.end(b.body || "release " + env.BLUEGREEN_RELEASE_ID + " of " + request.headers.host);
}).listen(Number(env.PORT), env.HOST);
`;

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export const base64 = (text: string): string => Buffer.from(text).toString("base64");

export function applicationEntries(behaviour: Behaviour): readonly Entry[] {
  return [
    { name: "server.js", data: APPLICATION },
    { name: "behaviour.json", data: JSON.stringify(behaviour) },
  ];
}

export class TestServer {
  static async create(): Promise<TestServer> {
    // An address of its own: no other test can be in the way on any port.
    const byte = (): number => 1 + Math.floor(Math.random() * 254);
    const host = `127.${byte()}.${byte()}.${byte()}`;
    return new TestServer(host, await freePort(host));
  }

  readonly root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "install-")));
  readonly folder = path.join(this.root, "server");
  private readonly processes: ChildProcess[] = [];
  private readonly servers: http.Server[] = [];

  private constructor(
    readonly host: string,
    readonly port: number,
  ) {}

  /** Parameters that install a healthy release; a test changes what it is about. `undefined` leaves one out. */
  parameters(sequence: number, artifact: Artifact, overrides: Parameters = {}): Parameters {
    return {
      SERVER_FOLDER: this.folder,
      APPLICATION: "demo",
      SERVER_NAME: "web-1",
      SLOT: "blue",
      SEQUENCE: String(sequence),
      RECORD_DIGEST: sha256(Buffer.from(`record ${sequence}`)),
      VERSION: "1.0.0",
      RELEASE_ID: `1.0.0-${sequence}`,
      ARTIFACT_URL_BASE64: base64(`file://${artifact.file}`),
      ARTIFACT_SHA256: artifact.sha256,
      HOST: this.host,
      PORT: String(this.port),
      START_COMMAND_BASE64: base64("node\nserver.js"),
      RELEASE_HEADER: "x-release-id",
      HEALTH_INTERVAL_SECONDS: "0.02",
      DEADLINE_SECONDS: "10",
      STOP_SECONDS: "5",
      ...overrides,
    };
  }

  async install(parameters: Parameters): Promise<Installation> {
    return this.start(parameters).done;
  }

  /** @param script the built one, or a copy of it. */
  start(
    parameters: Parameters,
    script = SCRIPT,
  ): { readonly pid: number; readonly done: Promise<Installation> } {
    const env: NodeJS.ProcessEnv = { PATH: process.env["PATH"], HOME: process.env["HOME"] };
    for (const [name, value] of Object.entries(parameters)) if (value !== undefined) env[name] = value;
    const child = this.own(spawn("bash", [script], { env, stdio: ["ignore", "pipe", "pipe"] }));
    // It waits for the pipes' ends: an instance that inherited one would be noticed here.
    const { pid, ended } = follow(child);
    const done = ended.then(({ exitCode: code, stdout, stderr }) => {
      const last = stdout.trimEnd().split("\n").at(-1) ?? "";
      const result = last.startsWith("{") ? (JSON.parse(last) as Record<string, unknown>) : undefined;
      return { code, stdout, stderr, result };
    });
    return { pid, done };
  }

  /** A zip with the fixture application. */
  application(behaviour: Behaviour = {}, more: readonly Entry[] = []): Artifact {
    return this.artifact(zip([...applicationEntries(behaviour), ...more]));
  }

  applicationAsTar(more: readonly TarEntry[] = []): Artifact {
    return this.tarball([
      { name: "./", type: "5" },
      { name: "./server.js", data: APPLICATION },
      { name: "./behaviour.json", data: "{}" },
      ...more,
    ]);
  }

  tarball(entries: readonly TarEntry[]): Artifact {
    return this.artifact(tarGz(entries));
  }

  artifact(bytes: Buffer): Artifact {
    const digest = sha256(bytes);
    const file = path.join(this.root, `${digest.slice(0, 16)}.artifact`);
    fs.writeFileSync(file, bytes);
    return { file, sha256: digest };
  }

  async get(
    url = "/",
  ): Promise<{ readonly status: number; readonly body: string; readonly release: string }> {
    const response = await fetch(`http://${this.host}:${this.port}${url}`, {
      headers: { connection: "close" },
    });
    return {
      status: response.status,
      body: await response.text(),
      release: response.headers.get("x-release-id") ?? "",
    };
  }

  /** Serves files to be downloaded; gives its address. */
  async serve(listener: http.RequestListener): Promise<string> {
    const server = http.createServer(listener);
    this.servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  }

  own<T extends ChildProcess>(child: T): T {
    this.processes.push(child);
    return child;
  }

  path(...parts: string[]): string {
    return path.join(this.folder, ...parts);
  }

  read(...parts: string[]): string {
    return fs.readFileSync(this.path(...parts), "utf8").trim();
  }

  list(folder: string): string[] {
    return fs.existsSync(this.path(folder)) ? fs.readdirSync(this.path(folder)).sort() : [];
  }

  /** The release that a slot is linked to. */
  linked(slot = "blue"): string | undefined {
    const link = this.path("slots", slot);
    return fs.existsSync(link) ? path.basename(fs.readlinkSync(link)) : undefined;
  }

  /** Pids of everything that was started for this folder. */
  instances(slot?: string): number[] {
    return pidsWith(`BLUEGREEN_SERVER_FOLDER=${this.folder}`).filter(
      (pid) => slot === undefined || environmentOf(pid).includes(`BLUEGREEN_SLOT=${slot}`),
    );
  }

  async close(): Promise<void> {
    for (const child of this.processes) child.kill("SIGKILL");
    for (const pid of this.instances()) kill(pid);
    for (const server of this.servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    await until(() => this.instances().length === 0, "every instance is gone");
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}

/** One server for each test of a file, closed with everything that runs on it. */
export function eachTestHasAServer(): () => TestServer {
  let server: TestServer | undefined;
  beforeEach(async () => void (server = await TestServer.create()));
  afterEach(async () => server?.close());
  return () => server as TestServer;
}

function environmentOf(pid: number): string[] {
  try {
    return fs.readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return [];
  }
}

export function lives(pid: number): boolean {
  return environmentOf(pid).length > 1;
}

function pidsWith(entry: string): number[] {
  const pids = fs.readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name));
  return pids.map(Number).filter((pid) => environmentOf(pid).includes(entry));
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself meanwhile.
  }
}

export interface Entry {
  readonly name: string | Buffer;
  readonly data?: string;
  /** Unix mode with the type, e.g. 0o120777 for a symbolic link. */
  readonly mode?: number;
  /** What the listing says instead of the truth. */
  readonly claimedSize?: number;
  readonly encrypted?: boolean;
  /** The bytes in the archive, where they are deflated. */
  readonly deflated?: Buffer;
  /** The system that says it made the entry; 3 is Unix, 0 is Windows. */
  readonly madeBy?: number;
  /** Whether it says that its name is UTF-8; what Windows packs does, `zip` on Linux does not. */
  readonly saysUtf8?: boolean;
}

/** A zip written by hand because no library writes evil ones. Its entries are stored, where they are not `deflated`. */
export function zip(entries: readonly Entry[]): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const { name, data = "", mode = 0o100644, claimedSize, encrypted = false, deflated } = entry;
    const { madeBy = 3, saysUtf8 = true } = entry;
    const nameBytes = Buffer.from(name as string);
    const bytes = deflated ?? Buffer.from(data);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE((encrypted ? 1 : 0) | (saysUtf8 ? 0x800 : 0), 2);
    common.writeUInt16LE(deflated === undefined ? 0 : 8, 4);
    common.writeUInt32LE(0x5a210000, 6);
    common.writeUInt32LE(crc32(deflated === undefined ? bytes : inflateRawSync(deflated)), 10);
    common.writeUInt32LE(deflated?.length ?? claimedSize ?? bytes.length, 14);
    common.writeUInt32LE(claimedSize ?? bytes.length, 18);
    common.writeUInt16LE(nameBytes.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, nameBytes, bytes]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((mode << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    central.push(
      Buffer.concat([
        Buffer.from(`PK\x01\x02\x14${String.fromCharCode(madeBy)}`, "latin1"),
        common,
        tail,
        nameBytes,
      ]),
    );
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

export interface TarEntry {
  readonly name: string;
  readonly data?: string;
  /** "0" file, "1" hard link, "2" symbolic link, "3" character device, "5" folder, "6" fifo. */
  readonly type?: string;
  readonly target?: string;
  readonly claimedSize?: number;
}

export function tarGz(entries: readonly TarEntry[]): Buffer {
  const blocks: Buffer[] = [];
  for (const { name, data = "", type = "0", target = "", claimedSize } of entries) {
    const header = Buffer.alloc(512);
    const octal = (value: number, width: number): string => value.toString(8).padStart(width - 1, "0") + "\0";
    header.write(name, 0);
    header.write(octal(0o644, 8), 100);
    header.write(octal(0, 8) + octal(0, 8), 108);
    header.write(octal(claimedSize ?? Buffer.byteLength(data), 12), 124);
    header.write(octal(1_700_000_000, 12), 136);
    header.write("        ", 148);
    header.write(type, 156);
    header.write(target, 157);
    header.write("ustar\u000000", 257);
    header.write(octal(1, 8) + octal(1, 8), 329);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(octal(sum, 7) + " ", 148);
    const body = Buffer.from(data);
    blocks.push(header, body, Buffer.alloc((512 - (body.length % 512)) % 512));
  }
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}
