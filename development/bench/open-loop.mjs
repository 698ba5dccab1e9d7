/**
 * The load of a measurement, in a separate process: an open loop, in which a latency counts from when its request was due.
 * Unlike the rehearsal's load it does not check the answers, to use less of the processors. Its parent controls it over IPC:
 *
 *   { capacity: milliseconds } -> requests a second in a closed loop
 *   { rate }                   -> starts the schedule
 *   { part: name | null }      -> counts the requests from now on for this part, or not at all
 *   { finish: true }           -> waits for all requests, returns the figures by part, and resets them
 */
import { Pool } from "undici";
import histogram from "../../lib/cli/load/histogram.js";

const { LatencyHistogram } = histogram;
const CONNECTIONS = 64;
const TIME_LIMIT_MS = 10_000;
const POST_EACH = 5;
/** Most users have a bucket already. */
const NEWCOMER_EACH = 10;

const pool = new Pool(process.argv[2], {
  connections: CONNECTIONS,
  pipelining: 1,
  headersTimeout: TIME_LIMIT_MS,
  bodyTimeout: TIME_LIMIT_MS,
});
let parts = {};
let current = null;
let running = 0;
let finished = () => undefined;
let sendDueRequests = () => undefined;

process.on("disconnect", () => process.exit(0));
process.on("message", (message) => void handle(message).then((answer) => process.send(answer)));

async function handle(message) {
  if ("capacity" in message) return capacity(message.capacity);
  if ("rate" in message) return arrive(message.rate);
  sendDueRequests();
  current = message.part ?? null;
  if ("part" in message) return null;
  if (running > 0) await new Promise((resolve) => (finished = resolve));
  const booked = Object.entries(parts).map(([name, part]) => [name, figures(part)]);
  parts = {};
  return Object.fromEntries(booked);
}

async function capacity(milliseconds) {
  const end = performance.now() + milliseconds;
  let answered = 0;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, connection) => {
      for (let count = connection; performance.now() < end; count += 1) {
        const failure = await new Promise((resolve) => send(count, resolve));
        if (failure !== null) throw new Error(`${failure} while the capacity is measured`);
        answered += 1;
      }
    }),
  );
  return (answered * 1000) / milliseconds;
}

function arrive(rate) {
  const began = performance.now();
  const dueAt = (count) => began + (count * 1000) / rate;
  let count = 0;
  let timer;
  sendDueRequests = () => {
    clearTimeout(timer);
    const now = performance.now();
    for (; dueAt(count) <= now; count += 1) book(count, dueAt(count), now);
    timer = setTimeout(sendDueRequests, Math.ceil(dueAt(count) - now));
  };
  sendDueRequests();
  return null;
}

function book(count, dueAt, now) {
  if (current === null) return send(count, () => undefined);
  const part = (parts[current] ??= {
    sent: 0,
    failures: {},
    latency: new LatencyHistogram(),
    startedLateMs: 0,
  });
  part.sent += 1;
  part.startedLateMs = Math.max(part.startedLateMs, now - dueAt);
  running += 1;
  return send(count, (failure) => {
    if (failure !== null) part.failures[failure] = (part.failures[failure] ?? 0) + 1;
    part.latency.add(performance.now() - dueAt);
    running -= 1;
    if (running === 0) finished();
  });
}

/** Sends one request, without redirects and retries. Calls `ended` with the reason of a failure, or null. */
function send(count, ended) {
  const posts = count % POST_EACH === 0;
  const cookie = count % NEWCOMER_EACH === 1 ? {} : { cookie: `bluegreen-bucket=${(count * 37) % 100}` };
  const request = posts
    ? {
        method: "POST",
        path: "/rows",
        headers: { ...cookie, "content-type": "application/json" },
        body: JSON.stringify({ title: `row ${count}` }),
      }
    : { method: "GET", path: "/", headers: cookie };
  let failure = null;
  pool.dispatch(request, {
    onRequestStart: () => undefined,
    onResponseStart(_, status) {
      if (status !== (posts ? 201 : 200)) failure = `status ${status}`;
    },
    onResponseData: () => undefined,
    onResponseEnd: () => ended(failure),
    onResponseError: (_, error) => ended(error.code ?? error.message),
  });
}

function figures({ sent, failures, latency, startedLateMs }) {
  const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
  const percentiles = { p50: latency.percentile(50), p99: latency.percentile(99), max: latency.max };
  return { sent, failed, failures, ...percentiles, startedLateMs };
}
