/**
 * One judgement: the installers and the director agree about every answer in answers.json, which is the rule. Each one
 * asks over real HTTP with its real code.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { Verification } from "../../../configuration/verification";
import { follow } from "../../../development/testbed/processes";
import { httpProbe } from "../../../on-server/director/probe";

interface Case {
  readonly what: string;
  readonly status?: number;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
  /** Bytes before the body. */
  readonly padding?: number;
  readonly byHeader?: boolean;
  readonly healthy: boolean;
}

const { release, header, answers } = JSON.parse(readFileSync(join(__dirname, "answers.json"), "utf8")) as {
  release: string;
  header: string;
  answers: readonly Case[];
};

const PROMPT_MS = 5000;

/** Each path is the number of a case. Raw, because a server library would not send every one of them. */
const server = createServer((socket) => {
  socket.on("error", () => undefined);
  socket.once("data", (request) => {
    const {
      status = 200,
      headers = [],
      body = "",
      padding = 0,
    } = answers[Number(/\/(\d+)/.exec(String(request))![1])]!;
    const content = Buffer.concat([Buffer.alloc(padding, "x"), Buffer.from(body)]);
    const lines = [...headers, ["Content-Length", String(content.length)], ["Connection", "close"]];
    socket.write(
      `HTTP/1.1 ${status} Any\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
    );
    socket.end(content);
  });
});
let port: number;
let folder: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
  folder = mkdtempSync(join(tmpdir(), "judgement-"));
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

/** Runs a program that prints one line, "true" or "false", for each case. */
async function verdictsOf(program: string, args: string[]): Promise<string[]> {
  const { exitCode, stdout, stderr } = await follow(
    spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] }),
  ).ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return stdout.trim().split("\n");
}

const EXPECTED = answers.map(({ what, healthy }) => `${what}: ${healthy}`);
const described = (verdicts: readonly string[]): string[] =>
  answers.map(({ what }, index) => `${what}: ${verdicts[index]}`);
const headerOf = ({ byHeader = false }: Case): string => (byHeader ? header : "");

test("the director", async () => {
  const verdicts: string[] = [];
  for (const [index, each] of answers.entries()) {
    const verification = z.parse(Verification, { path: `/${index}`, releaseHeader: headerOf(each) || null });
    const { healthy } = await httpProbe(verification, "http1")(
      { server: "web-1", host: "127.0.0.1", port },
      release,
    );
    verdicts.push(String(healthy));
  }
  expect(described(verdicts)).toEqual(EXPECTED);
});

test("the installer for Linux", async () => {
  const cases = answers.map((each, index) => `ask /${index} "${headerOf(each)}"`);
  const parts = ["small-parts", "health"].map((name) => `. on-server/install/linux/${name}.sh`);
  const values = `WORK=${folder} CHILD= PROBE_HOST=127.0.0.1 PORT=${port} HEALTH_HOST= HEALTH_PROTOCOL=http1 HEALTH_STATUS=200 TIMEOUT_MS=${PROMPT_MS}`;
  const ask = `ask() { HEALTH_PATH=$1 RELEASE_HEADER=$2; if probe ${release} ${PROMPT_MS}; then echo true; else echo false; fi; }`;
  const script = [
    "set -Eeuo pipefail",
    "export LC_ALL=C MAX_ANSWER_KIB=1024",
    values,
    ...parts,
    ask,
    ...cases,
  ];
  expect(described(await verdictsOf("bash", ["-c", script.join("\n")]))).toEqual(EXPECTED);
});

/** PowerShell 7 runs the same statements as Windows PowerShell 5.1 here. To have it: `dotnet tool install powershell`. */
const pwsh = ["pwsh", join(process.env["HOME"] ?? "", ".dotnet/tools/pwsh")].find(
  (program) => spawnSync(program, ["-NoProfile", "-Command", "exit 0"]).status === 0,
);
(pwsh === undefined ? test.skip : test)(
  "the installer for Windows" + (pwsh === undefined ? " (SKIPPED: no pwsh)" : ""),
  async () => {
    const cases = answers.map(
      (each, index) =>
        `$HealthPath = '/${index}'; $ReleaseHeader = '${headerOf(each)}'; ([string] (Test-Health '${release}' ${PROMPT_MS})).ToLower()`,
    );
    const parts = ["requests", "health"].map((name) => `. ./on-server/install/windows/${name}.ps1`);
    const values = `$BindAddress = '127.0.0.1'; $Port = ${port}; $HealthHost = ''; $HealthStatus = 200; $Reason = ''; $MaxAnswerBytes = [long] 1048576`;
    const script = [
      "Set-StrictMode -Version 2.0",
      "$ErrorActionPreference = 'Stop'",
      values,
      ...parts,
      ...cases,
    ];
    expect(described(await verdictsOf(pwsh!, ["-NoProfile", "-Command", script.join("\n")]))).toEqual(
      EXPECTED,
    );
  },
);
