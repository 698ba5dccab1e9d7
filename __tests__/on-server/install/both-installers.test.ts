/** Both installers keep the promises of one table (cases.ts): the same exit codes, and the same last lines. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { createServer } from "node:http";
import * as path from "node:path";
import { AzureServices } from "../../../development/testbed/windows/azure-services";
import { WindowsMachine } from "../../../development/testbed/windows/machine";
import {
  compileModel,
  missingPowerShell,
  powerShellCommand,
} from "../../../development/testbed/windows/powershell";
import { freePort } from "../../../development/testbed/ports";
import { CASES, type Case, type Hindrance, type Installer } from "./cases";
import { applicationEntries, base64, TestServer, zip, type Entry } from "./server";
import { WindowsServer } from "./windows-server";

interface Outcome {
  readonly code: number | null;
  /** The failure, or the outcome of a success. */
  readonly line: string;
}

interface Subject extends Installer {
  readonly azure: AzureServices;
  install(slot: "blue" | "green", sequence: number, overrides: object): Promise<Outcome>;
  entries(behaviour: object): readonly Entry[];
  releases(): string[];
  served(slot: "blue" | "green"): Promise<string>;
  close(): Promise<void>;
}

const UNTIL = { HEALTH_SUCCESSES: "1", HEALTH_INTERVAL_SECONDS: "0.02", RELEASE_HEADER: "" };

/** The parts that both have. */
abstract class Common {
  protected abstract readonly host: string;
  protected abstract path(name: string): string;

  async replace(name: string, text: string): Promise<Hindrance> {
    const before = fs.readFileSync(this.path(name));
    fs.writeFileSync(this.path(name), text);
    return { end: async () => fs.writeFileSync(this.path(name), before) };
  }

  async takePort(): Promise<Hindrance> {
    const server = createServer((_request, response) => response.end("me"));
    const port = await freePort(this.host);
    await new Promise<void>((resolve) => server.listen(port, this.host, resolve));
    return {
      overrides: { PORT: String(port) },
      end: () => new Promise((resolve) => server.close(() => resolve())),
    };
  }

  protected async holding(program: string, args: readonly string[]): Promise<Hindrance> {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"], detached: true });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    return {
      end: () => {
        process.kill(-child.pid!, "SIGKILL");
        return ended;
      },
    };
  }
}

class Linux extends Common implements Subject {
  private constructor(
    private readonly server: TestServer,
    readonly azure: AzureServices,
    private readonly ports: Readonly<Record<"blue" | "green", number>>,
  ) {
    super();
  }

  static async start(): Promise<Linux> {
    const server = await TestServer.create();
    const ports = { blue: server.port, green: await freePort(server.host) };
    const azure = await AzureServices.start();
    fs.writeFileSync(path.join(server.root, "trusted.pem"), azure.certificate);
    return new Linux(server, azure, ports);
  }

  protected get host(): string {
    return this.server.host;
  }

  async install(slot: "blue" | "green", sequence: number, overrides: object): Promise<Outcome> {
    const parameters = this.server.parameters(
      sequence,
      { file: "", sha256: "" },
      {
        SLOT: slot,
        PORT: String(this.ports[slot]),
        IMDS_ENDPOINT: `http://127.0.0.1:${this.azure.metadataPort}`,
        CURL_CA_BUNDLE: path.join(this.server.root, "trusted.pem"),
        ...UNTIL,
        ...overrides,
      },
    );
    const { code, stderr, result } = await this.server.install(parameters);
    if (code === 0) return { code, line: String(result?.["outcome"]) };
    const line = /^install: (.*)\n$/m.exec(stderr)?.[1] ?? stderr;
    expect(result).toMatchObject({ exitCode: code, reason: line.slice(0, 1500) });
    return { code, line };
  }

  entries(behaviour: object): readonly Entry[] {
    return applicationEntries(behaviour);
  }

  releases = (): string[] => this.server.list("releases");

  async served(slot: "blue" | "green"): Promise<string> {
    try {
      const answer = await fetch(`http://${this.server.host}:${this.ports[slot]}/`);
      return /release (\S+)/.exec(await answer.text())?.[1] ?? "";
    } catch {
      return "";
    }
  }

  protected path(name: string): string {
    return this.server.path(name);
  }

  holdLock = (): Promise<Hindrance> =>
    this.holding("flock", [this.path("install.lock"), "sh", "-c", "echo held; exec sleep 300"]);

  async close(): Promise<void> {
    this.azure.close();
    await this.server.close();
  }
}

class Windows extends Common implements Subject {
  private constructor(
    private readonly server: WindowsServer,
    private readonly model: string,
  ) {
    super();
  }

  static async start(): Promise<Windows> {
    const model = compileModel();
    const server = await WindowsServer.on(await WindowsMachine.start(model));
    expect(await server.setUp()).toMatchObject({ code: 0, stderr: "" });
    return new Windows(server, model);
  }

  get azure(): AzureServices {
    return this.server.machine.azure;
  }

  protected readonly host = "127.0.0.1";

  async install(slot: "blue" | "green", sequence: number, overrides: object): Promise<Outcome> {
    const parameters = this.server.parameters(
      slot,
      sequence,
      { url: "", sha256: "" },
      { ...UNTIL, ...overrides },
    );
    const { code, lines, last, stderr } = await this.server.install(parameters);
    expect(stderr).toBe("");
    const result = JSON.parse(lines.at(-2)!) as Record<string, unknown>;
    if (code === 0) return { code, line: String(result["outcome"]) };
    const line = last.replace(/^install: /, "");
    expect(result).toMatchObject({ exitCode: code, reason: line.slice(0, 1500) });
    return { code, line };
  }

  entries(behaviour: object): readonly Entry[] {
    return [
      { name: "Web.config", data: "<configuration />" },
      { name: "behaviour.json", data: JSON.stringify(behaviour) },
    ];
  }

  releases = (): string[] => this.server.list("releases");
  served = (slot: "blue" | "green"): Promise<string> => this.server.served(slot);
  protected path(name: string): string {
    return this.server.path(name);
  }

  holdLock(): Promise<Hindrance> {
    const name = `Global\\bluegreen-${this.server.application}`;
    return this.holding(
      ...powerShellCommand(
        `$lock = [Threading.Mutex]::new($false, '${name}'); $lock.WaitOne(); Start-Sleep 300`,
      ),
    );
  }

  async close(): Promise<void> {
    this.server.machine.close();
    fs.rmSync(this.model, { recursive: true });
  }
}

const missing = missingPowerShell();
if (missing !== undefined) console.warn(`skipped, ${missing}: both installers, on Windows`);
jest.setTimeout(300_000);

const SUBJECTS: readonly (readonly [string, boolean, () => Promise<Subject>])[] = [
  ["install-release.sh", true, () => Linux.start()],
  ["install-release.ps1", missing === undefined, () => Windows.start()],
];

describe.each(SUBJECTS)("%s:", (_name, isHere, start) => {
  let subject: Subject | undefined;
  let sequence = 10;
  beforeAll(async () => {
    if (!isHere) return;
    subject = await start();
    expect(await run(subject, "blue", { code: 0, line: "installed" })).toMatchObject({ code: 0 });
  });
  afterAll(() => subject?.close());

  async function run(on: Subject, slot: "blue" | "green", one: Case): Promise<Outcome> {
    const { entries = [], behaviour = {}, bytes = (archive) => archive, overrides = {}, token } = one;
    const different = { name: "sequence.txt", data: String(sequence) }; // else it is not downloaded again
    const archive = bytes(zip([...on.entries(behaviour), different, ...entries]));
    const sha256 = createHash("sha256").update(archive).digest("hex");
    const host = `localhost:${on.azure.httpsPort}`;
    on.azure.reset();
    on.azure.artifacts.set("/a.zip", archive);
    on.azure.instead = one.serves?.(archive);
    if (token !== undefined) on.azure.token = token;
    const hindrance = await one.before?.(on);
    try {
      return await on.install(slot, ++sequence, {
        ARTIFACT_URL_BASE64: base64(`https://${host}/a.zip?sig=SIGNATURE`),
        ARTIFACT_SHA256: sha256,
        RELEASE_ID: `1.0.0-${sequence}`,
        ARTIFACT_HOST: token === undefined ? "" : host,
        KEEP_RELEASES: "1",
        ...overrides,
        ...hindrance?.overrides,
      });
    } finally {
      await hindrance?.end();
    }
  }

  describe.each(Object.entries(CASES))("%s", (_what, cases) => {
    (isHere ? test : test.skip).each(Object.entries(cases))("%s", async (_case, one) => {
      const on = subject!;
      const live = await on.served("blue");
      const before = on.releases();
      const outcome = await run(on, "green", one);
      expect(outcome).toEqual({
        code: one.code,
        line: typeof one.line === "string" ? one.line : expect.stringMatching(one.line),
      });
      expect(outcome.line).not.toMatch(/SECRET|SIGNATURE/);
      expect(await on.served("blue")).toBe(live);
      if (one.code === 0) expect(await on.served("green")).toBe(`1.0.0-${sequence}`);
      else expect(on.releases()).toEqual(before); // a rejected release is removed
    });
  });
});
