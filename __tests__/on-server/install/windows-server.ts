/** A Windows server for the tests of install-release.ps1: prepared by setup-iis.ps1, with releases to install. */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { freePort } from "../../../development/testbed/ports";
import {
  WindowsMachine,
  type Conditions,
  type ScriptRun,
} from "../../../development/testbed/windows/machine";
import { compileModel, missingPowerShell } from "../../../development/testbed/windows/powershell";
import { base64, zip, type Entry } from "./server";

const ON_SERVER = path.resolve(__dirname, "../../../lib/on-server");
export const INSTALL = path.join(ON_SERVER, "install/install-release.ps1");
const SETUP = path.join(ON_SERVER, "azure/setup-iis.ps1");
const ADMINISTRATOR = "operator";

/** Each run starts PowerShell, which takes seconds. */
const PATIENCE_MS = 300_000;

/** Skipped aloud where PowerShell is missing. */
export function describeOnWindows(title: string, tests: () => void): void {
  const missing = missingPowerShell();
  if (missing !== undefined) {
    console.warn(`skipped, ${missing}: ${title}`);
    describe.skip(title, tests);
    return;
  }
  jest.setTimeout(PATIENCE_MS);
  describe(title, tests);
}

/** A server for each test of a file: `fresh`, or as setup-iis.ps1 leaves it. It is one machine, set back between tests. */
export function eachTestHasAWindowsServer(kind: "fresh" | "set up" = "set up"): () => WindowsServer {
  let model: string | undefined;
  let machine: WindowsMachine | undefined;
  let server: WindowsServer;
  beforeAll(async () => {
    model = compileModel();
    machine = await WindowsMachine.start(model);
    server = await WindowsServer.on(machine);
    if (kind === "set up") expect(await server.setUp()).toMatchObject({ code: 0, stderr: "" });
    machine.save();
  });
  afterAll(() => {
    machine?.close();
    if (model !== undefined) fs.rmSync(model, { recursive: true, force: true });
  });
  beforeEach(async () => {
    machine!.restore();
    server = await WindowsServer.on(machine!);
  });
  return () => server;
}

export interface Published {
  readonly url: string;
  readonly sha256: string;
}

export type Overrides = Readonly<Record<string, string | undefined>>;

export class WindowsServer {
  /** The parameter SERVER_FOLDER. */
  readonly folder = "C:\\bluegreen";

  private constructor(
    readonly machine: WindowsMachine,
    /** Two tests of one name would share a mutex. */
    readonly application: string,
    readonly ports: Readonly<Record<"blue" | "green", number>>,
  ) {}

  static async on(machine: WindowsMachine): Promise<WindowsServer> {
    fs.writeFileSync(
      path.join(machine.root, "state/accounts.json"),
      JSON.stringify({ [ADMINISTRATOR]: "first" }),
    );
    const name = `a${Math.random().toString(36).slice(2, 10)}`;
    return new WindowsServer(machine, name, { blue: await freePort(), green: await freePort() });
  }

  /** As it was before the first set-up. */
  reinstallWindows(): void {
    fs.rmSync(this.machine.path("C:\\"), { recursive: true });
    fs.mkdirSync(this.machine.path("C:\\"));
    for (const subject of ["iis", "firewall", "access"])
      fs.rmSync(path.join(this.machine.root, `state/${subject}.json`), { force: true });
  }

  setUp(conditions: Conditions = {}): Promise<ScriptRun> {
    const parameters = { SERVER_FOLDER: this.folder, ADMINISTRATOR_NAME: ADMINISTRATOR };
    return this.machine.run(SETUP, "setup-web-1", parameters, conditions);
  }

  /** Publishes a zip with a Web.config, a page and the given files. */
  publish(files: Readonly<Record<string, string>> = {}): Published {
    const all = { "Web.config": "<configuration />", "page.txt": "a page", ...files };
    return this.publishArchive(zip(Object.entries(all).map(([name, data]): Entry => ({ name, data }))));
  }

  publishArchive(bytes: Buffer): Published {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    this.machine.azure.artifacts.set(`/${sha256}.zip`, bytes);
    return { url: `https://localhost:${this.machine.azure.httpsPort}/${sha256}.zip`, sha256 };
  }

  parameters(
    slot: "blue" | "green",
    sequence: number,
    release: Published | null,
    overrides: Overrides = {},
  ): object {
    const all = {
      APPLICATION: this.application,
      SERVER_NAME: "web-1",
      SERVER_FOLDER: this.folder,
      SLOT: slot,
      SEQUENCE: String(sequence),
      RECORD_DIGEST: createHash("sha256").update(String(sequence)).digest("hex"),
      RELEASE_ID: release === null ? "" : `1.0.0-${sequence}`,
      VERSION: "1.0.0",
      ARTIFACT_URL_BASE64: base64(release?.url ?? ""),
      ARTIFACT_SHA256: release?.sha256,
      HOST: "127.0.0.1",
      PORT: String(this.ports[slot]),
      ALLOWED_SOURCES: "10.0.0.0/24",
      IIS_SETTINGS_BASE64: this.settings(),
      HEALTH_INTERVAL_SECONDS: "0.02",
      HEALTH_SUCCESSES: "2",
      DEADLINE_SECONDS: "20",
      STOP_SECONDS: "5",
      ...overrides,
    };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  }

  settings(more: object = {}): string {
    return base64(JSON.stringify({ requiredFiles: ["Web.config"], sharedFolders: ["App_Data"], ...more }));
  }

  /** @param script the built one, or a copy of it. */
  install(parameters: object, conditions: Conditions = {}, script = INSTALL): Promise<ScriptRun> {
    return this.machine.run(script, "install-web-1", parameters, conditions);
  }

  async get(
    slot: "blue" | "green",
    url: string,
  ): Promise<{ readonly status: number; readonly body: string }> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.ports[slot]}${url}`, {
        headers: { connection: "close" },
      });
      return { status: response.status, body: await response.text() };
    } catch {
      return { status: 0, body: "" }; // nothing listens
    }
  }

  /** The release that a slot serves. */
  async served(slot: "blue" | "green"): Promise<string> {
    const { status, body } = await this.get(slot, "/_release.txt");
    return status === 200 ? body.split(" ")[0]! : "";
  }

  /** The path of a file below SERVER_FOLDER. */
  path(...parts: string[]): string {
    return path.join(this.machine.path(this.folder), ...parts);
  }

  list(...parts: string[]): string[] {
    return fs.existsSync(this.path(...parts)) ? fs.readdirSync(this.path(...parts)).sort() : [];
  }
}

/** The result line and the end line, which Azure's run command shows last. */
export function expectInstalled(run: ScriptRun, outcome: string): void {
  expect({ code: run.code, stderr: run.stderr, last: run.last }).toEqual({
    code: 0,
    stderr: "",
    last: "bluegreen: install-web-1 ended with 0",
  });
  expect(JSON.parse(run.lines.at(-2)!)).toMatchObject({ step: "install", outcome });
}

export function expectRefused(run: ScriptRun, code: number, text: string | RegExp): void {
  expect({ code: run.code, stderr: run.stderr, last: run.last }).toEqual({
    code,
    stderr: "",
    last: text instanceof RegExp ? expect.stringMatching(text) : expect.stringContaining(text),
  });
}
