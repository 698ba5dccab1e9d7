/**
 * The director: its size, start time and memory; and how long the old slot still gets new requests after a switch, under
 * users at full speed.
 */
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { setTimeout as pause } from "node:timers/promises";
import { clock, spread } from "./figures.mjs";
import { startOurs } from "./sites/ours.mjs";
import { REPOSITORY } from "./sites/place.mjs";
import { send } from "./send.mjs";

const BUNDLE = join(REPOSITORY, "lib/on-server/director.js");
/** How long users send requests before a change, and after it. */
const WATCH_MS = 300;

export async function measureDirector({ rounds, drivers, log }) {
  const byDriver = {};
  for (const driver of drivers) {
    const site = await startOurs(driver);
    try {
      const status = [BUNDLE, "status", "--spec", site.spec];
      const starts = [];
      const empty = [];
      for (let round = 0; round < rounds; round += 1) {
        empty.push(await run(["-e", ""]));
        starts.push(await run(status));
      }
      byDriver[driver] = {
        statusMs: spread(starts.map(({ wallMs }) => wallMs)),
        moreThanNodeMs: spread(starts.map(({ wallMs }, round) => wallMs - empty[round].wallMs)),
        megabytes: spread(starts.map(({ megabytes }) => megabytes)),
        lastOldRequestMs: spread(await switchOver(site, rounds)),
      };
      const { statusMs, lastOldRequestMs } = byDriver[driver];
      log(
        `${driver}: status ${statusMs.median.toFixed(0)} ms, last request ${lastOldRequestMs.median.toFixed(1)} ms after the change was asked for`,
      );
    } finally {
      await site.close();
    }
  }
  const bytes = readFileSync(BUNDLE);
  return { rounds, kib: bytes.length / 1024, gzippedKib: gzipSync(bytes).length / 1024, byDriver };
}

async function run(args) {
  const began = performance.now();
  const child = spawn(
    process.execPath,
    ["-r", join(REPOSITORY, "development/bench/report-usage.cjs"), ...args],
    {
      stdio: ["ignore", "ignore", "inherit", "pipe"],
    },
  );
  let reported = "";
  child.stdio[3].setEncoding("utf8").on("data", (text) => (reported += text));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${args.join(" ").slice(0, 80)} ended with ${code}`);
  return { wallMs: performance.now() - began, megabytes: JSON.parse(reported).maxRSS / 1024 };
}

/** @returns for each change the time from its call to the last request that was sent to the old slot. */
async function switchOver({ origin, change }, rounds) {
  const users = fork(join(import.meta.dirname, "users.mjs"), [origin]);
  const times = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      const [live, old] = round % 2 === 0 ? ["green", "1.0.0-1"] : ["blue", "1.1.0-2"];
      await send(users, { old });
      await pause(WATCH_MS);
      const asked = clock();
      await change({ live, weight: 0 });
      await pause(WATCH_MS);
      times.push(Math.max(0, (await send(users, { end: true })) - asked));
    }
  } finally {
    users.kill();
  }
  return times;
}
