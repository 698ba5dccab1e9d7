/**
 * The plan proof as a run task of HCP Terraform: a service that is sent each plan's address, and answers whether the plan
 * leaves alone what users have. See docs/pipelines.md, section 5.
 *
 *   RUN_TASK_HMAC_KEY=... PORT=8080 node run-task.mjs
 *
 * RUN_TASK_HMAC_KEY is the run task's HMAC key: what is not signed with it is not answered. BLUEGREEN names the command,
 * if it is not `bluegreen` on PATH. HCP_ADDRESS is where plans may come from and answers go to.
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
  // HCP Terraform tries a new run task out with a request that has no plan.
  if (task.stage !== "post_plan") return;
  const { status, message } = await judge(task);
  console.log(`${task.run_id}: ${status}, ${message}`);
  await answer(task, status, message).catch((error) => console.error(`${task.run_id}: ${error.message}`));
});

async function judge(task) {
  try {
    const plan = await fetch(ofHcp(task.plan_json_api_url), { headers: authorized(task), signal: late() });
    if (!plan.ok) throw new Error(`the plan can't be fetched: status ${plan.status}`);
    const { exitCode, stdout, stderr } = await prove(await plan.text());
    const words = stdout === "" ? stderr.trim() : JSON.parse(stdout).words;
    return { status: exitCode === 0 ? "passed" : "failed", message: words };
  } catch (error) {
    return { status: "failed", message: `not judged: ${error.message}` };
  }
}

/** The plan goes through stdin: nothing of the request comes near a command line. */
function prove(plan) {
  const child = spawn(COMMAND, ["prove", "-", "--json"], { timeout: SECONDS * 1_000 });
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (part) => (said.stdout += part));
  child.stderr.setEncoding("utf8").on("data", (part) => (said.stderr += part));
  child.stdin.on("error", () => undefined).end(plan);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, ...said }));
  });
}

async function answer(task, status, message) {
  const body = { data: { type: "task-results", attributes: { status, message } } };
  const answered = await fetch(ofHcp(task.task_result_callback_url), {
    method: "PATCH",
    headers: { ...authorized(task), "content-type": "application/vnd.api+json" },
    body: JSON.stringify(body),
    signal: late(),
  });
  if (!answered.ok) throw new Error(`the answer was not taken: status ${answered.status}`);
}

/** The token is for HCP Terraform, and goes nowhere else. */
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

/** @returns null where it is too long. */
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

function late() {
  return AbortSignal.timeout(SECONDS * 1_000);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (!key) {
    console.error("RUN_TASK_HMAC_KEY is missing: without it anybody could ask");
    process.exit(2);
  }
  server.listen(Number(PORT), () => console.log(`listening on ${server.address().port}`));
}
