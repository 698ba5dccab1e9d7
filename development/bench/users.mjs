/**
 * Users of a site at full speed, in a process of their own, so that what changes the traffic does not hold them up. Its
 * parent says what to do over IPC:
 *
 *   { old: release id } -> they begin to ask, and go on until they are told to end
 *   { end: true }       -> when the last request was sent that still got the old release: milliseconds of the clock that
 *                          `clock` of figures.mjs reads
 */
import { Pool } from "undici";
import { clock } from "./figures.mjs";

const CONNECTIONS = 16;

const pool = new Pool(process.argv[2], { connections: CONNECTIONS, pipelining: 1 });
let asking = [];
let ended = false;
let last = 0;

process.on("disconnect", () => process.exit(0));
process.on("message", (message) => void obey(message).then((answer) => process.send(answer)));

async function obey({ old }) {
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
