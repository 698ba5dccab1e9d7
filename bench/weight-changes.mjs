/**
 * What a weight change costs the users of a site: latencies and failed requests during 200 changes, against the same load
 * at rest, through a real proxy and the driver that the director uses.
 *
 *   npm run build && npm run bench:weights -- [--driver haproxy] [--pairs 5] [--check] [--json]
 *
 * GETs and POSTs on keep-alive connections come by a schedule that no answer slows down (`open-loop.mjs`), at half of
 * the rate that the same process reaches through the same set-up when each connection waits for its answers. A pair is
 * 200 changes, in slices of ten, and as long at rest: a slice of one, a slice of the other, so that a machine whose speed
 * drifts, or which others use, slows both.
 */
import { fork } from "node:child_process";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startProxiedSlots } from "./proxied-slots.mjs";

const CHANGES = 200;
const CHANGES_IN_SLICE = 10;
const CHANGE_EVERY_MS = 50;
/** Between two slices, where nothing is booked: the traffic is set to what it is at rest. */
const GAP_MS = 50;
/** What runs for the first time is slower: Node.js compiles as it goes. */
const WARM_UP_MS = 2_000;
const CAPACITY_MS = 2_000;
/** What the changes may cost: p99 at most this many times as at rest, or this many milliseconds more. */
const MAX_RATIO = 1.2;
const MAX_MORE_MS = 2;

const USAGE = `What 200 weight changes cost users, under half of the load that the set-up can carry.

  npm run build && npm run bench:weights -- [options]

  --driver haproxy|nginx|embedded   the proxy (default: haproxy)
  --pairs N                         so many times at rest and during changes (default: 5)
  --check                           exit code 1 where a request failed or p99 grew by more than
                                    a factor of ${MAX_RATIO} and ${MAX_MORE_MS} ms (median of the pairs)
  --json                            the figures as JSON
  --help                            this text
`;

const { values } = parseArgs({
  options: {
    driver: { type: "string", default: "haproxy" },
    pairs: { type: "string", default: "5" },
    check: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const pairCount = Number(values.pairs);
if (!Number.isInteger(pairCount) || pairCount < 1)
  throw new Error(`--pairs ${values.pairs} is no number of pairs`);

const say = values.json ? console.error : console.log;
const site = await startProxiedSlots(values.driver);
const load = fork(join(import.meta.dirname, "open-loop.mjs"), [site.origin]);
let changed = 0;
let report;
try {
  report = await measure();
} finally {
  load.kill();
  await site.close();
}
if (values.json) console.log(JSON.stringify(report, null, 2));
else tell(report);
if (values.check && !report.holds) process.exitCode = 1;

async function measure() {
  await site.driver.setTraffic(atRest());
  await tellLoad({ capacity: WARM_UP_MS });
  const capacity = Math.floor(await tellLoad({ capacity: CAPACITY_MS }));
  const rate = Math.floor(capacity / 2);
  say(`${values.driver}: ${capacity} requests/s at most, loaded with ${rate}/s`);
  await tellLoad({ rate });
  await sleep(WARM_UP_MS);
  const pairs = [];
  for (let index = 0; index < pairCount; index += 1) {
    const pair = await measurePair();
    pairs.push(pair);
    const told = ({ p99, busy }) => `${ms(p99)} (processors ${percent(busy)} busy)`;
    say(`  p99 at rest ${told(pair.rest)}, during changes ${told(pair.changes)}`);
  }
  return summary(capacity, rate, pairs);
}

/** Says one thing to the process of the load. @returns its answer. */
function tellLoad(message) {
  return new Promise((resolve, reject) => {
    const ended = (code, signal) => reject(new Error(`the load's process ended: ${signal ?? code}`));
    load.once("exit", ended);
    load.once("message", (answer) => {
      load.off("exit", ended);
      resolve(answer);
    });
    load.send(message);
  });
}

function atRest() {
  return { live: "blue", share: 50, offset: 0, mode: "serve", fallback: true };
}

async function measurePair() {
  let slowestChangeMs = 0;
  const parts = {
    rest: () => sleep(CHANGES_IN_SLICE * CHANGE_EVERY_MS),
    changes: async () => (slowestChangeMs = Math.max(slowestChangeMs, await makeChanges())),
  };
  const used = { rest: newUse(), changes: newUse() };
  await tellLoad({ finish: true });
  for (let slice = 0; slice < CHANGES / CHANGES_IN_SLICE; slice += 1) {
    // Whoever goes first in one slice goes second in the next.
    for (const name of slice % 2 === 0 ? ["rest", "changes"] : ["changes", "rest"]) {
      await site.driver.setTraffic(atRest());
      await sleep(GAP_MS);
      await tellLoad({ part: name });
      const before = processorTimes();
      await parts[name]();
      addUse(used[name], before, processorTimes());
      await tellLoad({ part: null });
    }
  }
  const { rest, changes } = await tellLoad({ finish: true });
  const shares = ({ all, busy, director }) => ({ busy: busy / all, director: director / all });
  return {
    rest: { ...rest, ...shares(used.rest) },
    changes: { ...changes, ...shares(used.changes) },
    slowestChangeMs,
  };
}

function newUse() {
  return { all: 0, busy: 0, director: 0 };
}

function addUse(use, before, after) {
  for (const kind of Object.keys(use)) use[kind] += after[kind] - before[kind];
}

/** Milliseconds of all processors so far: all, those at work for anybody, and those at work for this process. */
function processorTimes() {
  const sum = (kinds) =>
    cpus().reduce((total, { times }) => total + kinds.reduce((all, kind) => all + times[kind], 0), 0);
  const { user, system } = process.cpuUsage();
  const busy = sum(["user", "nice", "sys", "irq"]);
  return { all: busy + sum(["idle"]), busy, director: (user + system) / 1000 };
}

/** Shares of all sizes, up and down, and every 25 changes the other slot becomes live. */
async function makeChanges() {
  const began = performance.now();
  let slowest = 0;
  for (let change = 0; change < CHANGES_IN_SLICE; change += 1) {
    await sleep(Math.max(0, began + change * CHANGE_EVERY_MS - performance.now()));
    const live = Math.floor(changed / 25) % 2 === 0 ? "blue" : "green";
    const started = performance.now();
    await site.driver.setTraffic({
      ...atRest(),
      live,
      share: (changed * 37) % 101,
      offset: (changed * 13) % 100,
    });
    slowest = Math.max(slowest, performance.now() - started);
    changed += 1;
  }
  // The last change is as long as the others.
  await sleep(Math.max(0, began + CHANGES_IN_SLICE * CHANGE_EVERY_MS - performance.now()));
  return slowest;
}

function median(numbers) {
  const sorted = [...numbers].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function summary(capacity, rate, pairs) {
  const of = (figure) => median(pairs.map(figure));
  const total = (figure) =>
    pairs.reduce((sum, { rest: calm, changes: busy }) => sum + calm[figure] + busy[figure], 0);
  // Above 0: so many milliseconds more than the pair may differ.
  const excessMs = of(
    ({ rest: { p99 }, changes: busy }) => busy.p99 - Math.max(p99 * MAX_RATIO, p99 + MAX_MORE_MS),
  );
  return {
    driver: values.driver,
    cores: cpus().length,
    busyAtRest: of(({ rest: { busy } }) => busy),
    busyDuringChanges: of(({ changes: { busy } }) => busy),
    directorUse: of(({ changes: { director } }) => director),
    capacity,
    rate,
    sent: total("sent"),
    failed: total("failed"),
    p99AtRestMs: of(({ rest: { p99 } }) => p99),
    p99DuringChangesMs: of(({ changes: { p99 } }) => p99),
    ratio: of(({ rest: calm, changes: busy }) => busy.p99 / calm.p99),
    moreMs: of(({ rest: calm, changes: busy }) => busy.p99 - calm.p99),
    holds: excessMs <= 0 && total("failed") === 0,
    pairs,
  };
}

function tell(figures) {
  const { driver, capacity, rate, cores, pairs } = figures;
  const slowest = Math.max(...pairs.map(({ slowestChangeMs }) => slowestChangeMs));
  const late = Math.max(...pairs.map(({ rest }) => rest.startedLateMs));
  console.log(
    [
      `${driver}, ${pairs.length} times ${CHANGES} changes, one each ${CHANGE_EVERY_MS} ms, and as long at rest:`,
      `  ${figures.sent} requests, ${figures.failed} failed`,
      `  p99 at rest ${ms(figures.p99AtRestMs)}, during changes ${ms(figures.p99DuringChangesMs)} (medians)`,
      `  median of the pairs: ${figures.ratio.toFixed(2)} times as at rest, ${ms(figures.moreMs)} more ` +
        `(limit: ${MAX_RATIO} times or ${MAX_MORE_MS} ms more): ${figures.holds ? "holds" : "BROKEN"}`,
      `  the slowest change took ${ms(slowest)}; a request was sent at most ${ms(late)} late at rest`,
      `  ${cores} cores for proxy, both slots, load, and whatever else runs here: ${percent(figures.busyAtRest)} busy at ` +
        `rest, ${percent(figures.busyDuringChanges)} during changes, of that the driver ${percent(figures.directorUse)}`,
      `  capacity ${capacity}/s is what all of them reach together, the load ${rate}/s half of it`,
    ].join("\n"),
  );
}

function ms(milliseconds) {
  return `${milliseconds.toFixed(1)} ms`;
}

function percent(part) {
  return `${Math.round(part * 100)} %`;
}
