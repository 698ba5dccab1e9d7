/**
 * The plan proof as a run task of HCP Terraform: a service that gets the address of each plan and answers whether the plan
 * leaves the live slot unchanged. See docs/pipelines.md, section 5.
 *
 *   RUN_TASK_HMAC_KEY=... PORT=8080 node run-task.mjs
 *
 * RUN_TASK_HMAC_KEY is the run task's HMAC key: other requests are rejected. BLUEGREEN is the command, if it is not
 * `bluegreen` on PATH. HCP_ADDRESS is the only server for plans and answers.
 */
import { spawn } from "node:child_process";
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const { RUN_TASK_HMAC_KEY: key, PORT = "8080" } = process.env;
const COMMAND = process.env.BLUEGREEN ?? "bluegreen";
const HCP = new URL(process.env.HCP_ADDRESS ?? "https://app.terraform.io").origin;
const MAX_REQUEST_BYTES = 1024 * 1024;
const SECONDS = 120;

const server = createServer(async (request, response) => {
  const text = await read(request);
  if (request.method !== "POST" || text === null) return response.writeHead(400).end();
  if (!isSigned(text, request.headers["x-tfc-task-signature"])) return response.writeHead(401).end();
  const task = JSON.parse(text);
  response.writeHead(200).end();
  // HCP Terraform tests a new run task with a request without a plan.
  if (task.stage !== "post_plan") return;
  const { status, message } = await check(task);
  console.log(`${task.run_id}: ${status}, ${message}`);
  await answer(task, status, message).catch((error) => console.error(`${task.run_id}: ${error.message}`));
});

async function check(task) {
  try {
    const plan = await fetch(ofHcp(task.plan_json_api_url), { headers: authorized(task), signal: timeout() });
    if (!plan.ok) throw new Error(`the plan can't be fetched: status ${plan.status}`);
    const { exitCode, stdout, stderr } = await prove(await plan.text());
    const message = stdout === "" ? stderr.trim() : JSON.parse(stdout).reason;
    return { status: exitCode === 0 ? "passed" : "failed", message };
  } catch (error) {
    return { status: "failed", message: `not checked: ${error.message}` };
  }
}

/** Passes the plan through stdin: no part of the request is on a command line. */
function prove(plan) {
  const child = spawn(COMMAND, ["prove", "-", "--json"], { timeout: SECONDS * 1_000 });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (part) => (output.stdout += part));
  child.stderr.setEncoding("utf8").on("data", (part) => (output.stderr += part));
  child.stdin.on("error", () => undefined).end(plan);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, ...output }));
  });
}

async function answer(task, status, message) {
  const body = { data: { type: "task-results", attributes: { status, message } } };
  const answered = await fetch(ofHcp(task.task_result_callback_url), {
    method: "PATCH",
    headers: { ...authorized(task), "content-type": "application/vnd.api+json" },
    body: JSON.stringify(body),
    signal: timeout(),
  });
  if (!answered.ok) throw new Error(`HCP Terraform refused the answer: status ${answered.status}`);
}

/** Sends the token to HCP Terraform only. */
function ofHcp(address) {
  const url = new URL(address);
  if (url.origin !== HCP) throw new Error(`${url.origin} is not ${HCP}`);
  return url;
}

function authorized({ access_token: token }) {
  return { authorization: `Bearer ${token}` };
}

function isSigned(text, signature) {
  const wanted = createHmac("sha512", key).update(text).digest();
  const given = Buffer.from(String(signature ?? ""), "hex");
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** @returns null if the request is too long. */
async function read(request) {
  const parts = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    if (bytes > MAX_REQUEST_BYTES) return null;
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function timeout() {
  return AbortSignal.timeout(SECONDS * 1_000);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (!key) {
    console.error("RUN_TASK_HMAC_KEY is missing: set it to the run task's HMAC key");
    process.exit(2);
  }
  server.listen(Number(PORT), () => console.log(`listening on ${server.address().port}`));
}
