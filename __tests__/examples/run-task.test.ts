/** The plan proof as a run task, as its service is started; HCP Terraform is played by this test. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHmac } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const KEY = "a key that both know";
const TOKEN = "a token for this run";
const step = (name: string, ...actions: string[]) => ({
  address: `azurerm_virtual_machine_run_command.${name}`,
  change: { actions },
});
const GOOD = [step("install-blue-web-1", "no-op"), step("install-green-web-1", "delete", "create")];
const TOUCHING = [step("install-blue-web-1", "delete", "create")];

interface Answer {
  readonly authorization: string | undefined;
  readonly body: unknown;
}

let folder: string;
let hcp: Server;
let service: ChildProcess;
let address: string;
let plan: unknown;
let requests = 0;
let answered: (answer: Answer) => void;

/** What the director of a proxy said last is in what the plan knows. */
function planOf(changes: unknown): unknown {
  const state = {
    ...{ sequence: 2, phase: "stable", finished: true, weight: 0, deadline: null, retainedUntil: null },
    ...{ stable: { slot: "blue", releaseId: "1.0.0-1" }, candidate: null },
    ...{ unfinished: [], journal: [], result: null },
  };
  const words = JSON.stringify({
    ...{
      step: "switch",
      sequence: 2,
      exitCode: 0,
      outcome: "promoted",
      reason: "it is live",
      comparison: null,
    },
    ...{ seconds: 1, at: "2026-11-29T12:00:00.000Z", proxy: "proxy-1", serving: ["blue"], state },
    traffic: { live: "blue", weight: 0, offset: 0, mode: "serve", fallback: false },
  });
  const resource = {
    address: "azurerm_virtual_machine_run_command.switch-proxy-1",
    values: { instance_view: [{ output: words, exit_code: 0 }] },
  };
  return { resource_changes: changes, prior_state: { values: { root_module: { resources: [resource] } } } };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of request) text += String(part);
  return text;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bluegreen-run-task-"));
  hcp = createServer(async (request, response) => {
    requests += 1;
    const { authorization } = request.headers;
    if (request.method === "GET") {
      response.writeHead(authorization === `Bearer ${TOKEN}` ? 200 : 401).end(JSON.stringify(plan));
      return;
    }
    const body = JSON.parse(await textOf(request)) as unknown;
    response.end();
    answered({ authorization, body });
  });
  await new Promise<void>((listening) => hcp.listen(0, "127.0.0.1", listening));
  const command = join(folder, "bluegreen");
  writeFileSync(
    command,
    `#!/bin/sh\nexec ${JSON.stringify(process.execPath)} ${JSON.stringify(resolve("lib/cli/main.js"))} "$@"\n`,
  );
  chmodSync(command, 0o755);
  const { port } = hcp.address() as AddressInfo;
  service = spawn(process.execPath, [resolve("examples/pipelines/run-task.mjs")], {
    cwd: folder,
    env: {
      PATH: process.env["PATH"],
      RUN_TASK_HMAC_KEY: KEY,
      PORT: "0",
      BLUEGREEN: command,
      HCP_ADDRESS: `http://127.0.0.1:${port}`,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  address = await new Promise<string>((resolve, reject) => {
    service.once("exit", () => reject(new Error("the service ended")));
    service.stdout!.on("data", (data: Buffer) => {
      const [, own] = /listening on (\d+)/.exec(data.toString()) ?? [];
      if (own !== undefined) resolve(`http://127.0.0.1:${own}`);
    });
  });
});
afterAll(() => {
  service.kill();
  hcp.close();
  rmSync(folder, { recursive: true });
});

function post(task: object, key = KEY): Promise<number> {
  const body = JSON.stringify({ payload_version: 1, access_token: TOKEN, run_id: "run-1", ...task });
  const signature = createHmac("sha512", key).update(body).digest("hex");
  const headers = { "content-type": "application/json", "x-tfc-task-signature": signature };
  return fetch(address, { method: "POST", body, headers }).then(({ status }) => status);
}

function task(changes: object = {}): object {
  const { port } = hcp.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  return {
    stage: "post_plan",
    plan_json_api_url: `${origin}/api/v2/plans/plan-1/json-output`,
    task_result_callback_url: `${origin}/api/v2/task-results/1/callback`,
    ...changes,
  };
}

async function result(changes: object = {}): Promise<Answer> {
  const answer = new Promise<Answer>((resolve) => (answered = resolve));
  expect(await post(task(changes))).toBe(200);
  return answer;
}

const told = (status: string, message: RegExp) => ({
  authorization: `Bearer ${TOKEN}`,
  body: {
    data: { type: "task-results", attributes: { status, message: expect.stringMatching(message) as string } },
  },
});

test("a plan that leaves the live slot alone passes, with the proof's words", async () => {
  plan = planOf(GOOD);
  expect(await result()).toEqual(told("passed", /^blue is not touched/));
});

test("one that touches it fails, with the change that is too much", async () => {
  plan = planOf(TOUCHING);
  expect(await result()).toEqual(told("failed", /would touch the live slot: .*install-blue-web-1/));
});

test("one that can't be judged fails", async () => {
  plan = { resource_changes: GOOD };
  expect(await result()).toEqual(told("failed", /there is no environment file/));
});

test("the token goes to HCP Terraform only", async () => {
  plan = planOf(GOOD);
  const elsewhere = { plan_json_api_url: "http://localhost:9/plan" };
  expect(await result(elsewhere)).toEqual(told("failed", /not judged: http:\/\/localhost:9 is not/));
});

test("who has not the key gets no answer", async () => {
  expect(await post(task(), "another key")).toBe(401);
});

test("a request that tries the task out, or comes at another stage, is taken and not judged", async () => {
  requests = 0;
  plan = planOf(GOOD);
  expect(await post(task({ stage: "test" }))).toBe(200);
  expect(await post(task({ stage: "pre_plan" }))).toBe(200);
  await result();
  // One for the plan, one for the answer.
  expect(requests).toBe(2);
});
