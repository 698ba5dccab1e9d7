/** Two servers with one share, and an application that takes uploads into a folder of its own. */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { base64, TestServer, zip } from "./server";
import type { Artifact, Entry, Parameters } from "./server";

export const PICTURES = "Content/ProfilePics";

/** Takes PUT /<name> into its folder, relative to itself as SocialGoal does, and gives it back on GET. */
const APPLICATION = `
const http = require("http"), fs = require("fs"), path = require("path"), { env } = process;
http.createServer((request, response) => {
  response.setHeader("x-release-id", env.BLUEGREEN_RELEASE_ID);
  if (request.url === "/health") return response.end("ok");
  const file = path.join("${PICTURES}", path.basename(decodeURIComponent(request.url)));
  if (request.method === "PUT") {
    return request.pipe(fs.createWriteStream(file)).on("finish", () => response.end("kept"));
  }
  try { response.end(fs.readFileSync(file)); } catch { response.writeHead(404).end("none"); }
}).listen(Number(env.PORT), env.HOST);
process.on("SIGTERM", () => process.exit(0));
`;

export class SharedSite {
  static async create(): Promise<SharedSite> {
    return new SharedSite([await TestServer.create(), await TestServer.create()]);
  }

  readonly root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "share-")));
  readonly share = path.join(this.root, "share");

  private constructor(readonly servers: readonly [TestServer, TestServer]) {
    this.prepareShare();
  }

  /** As base does it. */
  prepareShare(): void {
    fs.mkdirSync(path.join(this.share, ".bluegreen"), { recursive: true });
    fs.writeFileSync(path.join(this.share, ".bluegreen/share"), "demo\n");
  }

  application(more: readonly Entry[] = [{ name: `${PICTURES}/default.png`, data: "default" }]): Artifact {
    return this.servers[0].artifact(zip([{ name: "server.js", data: APPLICATION }, ...more]));
  }

  parameters(index: 0 | 1, sequence: number, artifact: Artifact, overrides: Parameters = {}): Parameters {
    return this.servers[index].parameters(sequence, artifact, {
      SERVER_NAME: `web-${index + 1}`,
      SHARED_FOLDER: this.share,
      SHARED_PATHS_BASE64: base64(PICTURES),
      ...overrides,
    });
  }

  /** @param overrides `SHARED_PATHS_BASE64: undefined` is a release of before storage.shared. */
  async install(index: 0 | 1, sequence: number, artifact: Artifact, overrides: Parameters = {}) {
    return this.servers[index].install(this.parameters(index, sequence, artifact, overrides));
  }

  async put(index: 0 | 1, name: string, text: string): Promise<void> {
    const { host, port } = this.servers[index];
    const response = await fetch(`http://${host}:${port}/${name}`, { method: "PUT", body: text });
    if ((await response.text()) !== "kept") throw new Error(`${name} was not kept`);
  }

  async get(index: 0 | 1, name: string): Promise<string> {
    return (await this.servers[index].get(`/${name}`)).body;
  }

  /** A file in a server's own folder of before, as its data folder has it. */
  own(index: 0 | 1, name: string, text: string, seconds: number): void {
    const file = this.servers[index].path("data", PICTURES, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
    fs.utimesSync(file, seconds, seconds);
  }

  /** The shared files with their text. */
  shared(): Record<string, string> {
    return files(path.join(this.share, PICTURES));
  }

  async close(): Promise<void> {
    for (const server of this.servers) await server.close();
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}

export function files(folder: string): Record<string, string> {
  if (!fs.existsSync(folder)) return {};
  const names = execFileSync("find", [folder, "-type", "f", "-printf", "%P\n"], { encoding: "utf8" });
  const sorted = names.split("\n").filter(Boolean).sort();
  return Object.fromEntries(sorted.map((name) => [name, fs.readFileSync(path.join(folder, name), "utf8")]));
}
