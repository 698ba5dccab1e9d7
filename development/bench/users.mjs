/**
 * Users at full speed, in a separate process, so that changes of the traffic do not slow them down. Its parent controls it
 * over IPC:
 *
 *   { old: release id } -> starts sending requests
 *   { end: true }       -> stops, and returns when the last request was sent that got the old release, in milliseconds of
 *                          `clock` in figures.mjs
 */
import { Pool } from "undici";
import { clock } from "./figures.mjs";

const CONNECTIONS = 16;

const pool = new Pool(process.argv[2], { connections: CONNECTIONS, pipelining: 1 });
let asking = [];
let ended = false;
let last = 0;

process.on("disconnect", () => process.exit(0));
process.on("message", (message) => void handle(message).then((answer) => process.send(answer)));

async function handle({ old }) {
  ended = old === undefined;
  await Promise.all(asking);
  asking = [];
  if (ended) return last;
  last = 0;
  asking = Array.from({ length: CONNECTIONS }, () => ask(old));
  return null;
}

async function ask(old) {
  while (!ended) {
    const sent = clock();
    const { headers, body } = await pool.request({ method: "GET", path: "/" });
    await body.dump();
    if (headers["x-release-id"] === old) last = Math.max(last, sent);
  }
}
