/**
 * What a change of the traffic costs users: latencies and failed requests during 200 changes, against the same load at
 * rest.
 *
 * GETs and POSTs on keep-alive connections follow an open-loop schedule (`open-loop.mjs`), at half of the rate that the same
 * process reaches through the same set-up in a closed loop. A pair is 200 changes, in slices of ten, and as long at rest, in
 * alternating slices, so that a change of the machine's speed affects both.
 */
import { fork } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { median, ms, percent, processorTimes, spread } from "./figures.mjs";
import { send } from "./send.mjs";

const CHANGES = 200;
const CHANGES_IN_SLICE = 10;
const CHANGE_EVERY_MS = 50;
/** Between two slices, not measured: the traffic is set to that at rest. */
const GAP_MS = 50;
/** Some proxies reload asynchronously. */
const RELOAD_MS = 1_000;
/** Node.js compiles at run time, so the first requests are slower. */
const WARM_UP_MS = 2_000;
const CAPACITY_MS = 2_000;

const AT_REST = { live: "blue", weight: 50 };

/**
 * @param pairs the least number of pairs; more until there are `requests` requests
 * @param rate requests a second; half of the capacity if there is none
 */
export async function measureChanges(site, { pairs: least, requests = 0, rate: given, log }) {
  const load = fork(join(import.meta.dirname, "open-loop.mjs"), [site.origin]);
  try {
    return await new Measurement(site, load, log).run(least, requests, given);
  } finally {
    load.kill();
  }
}

class Measurement {
  changed = 0;

  constructor(site, load, log) {
    Object.assign(this, { site, load, log });
  }

  async run(least, requests, given) {
    await this.site.change(AT_REST);
    await sleep(RELOAD_MS);
    await this.send({ capacity: WARM_UP_MS });
    const capacity = Math.floor(await this.send({ capacity: CAPACITY_MS }));
    const rate = given ?? Math.floor(capacity / 2);
    this.log(`${capacity} requests/s at most, loaded with ${rate}/s`);
    await this.send({ rate });
    await sleep(WARM_UP_MS);
    const pairs = [];
    for (let sent = 0; pairs.length < least || sent < requests;) {
      const pair = await this.measurePair();
      pairs.push(pair);
      sent += pair.rest.sent + pair.changes.sent;
      const text = ({ p99, failed, busy }) =>
        `${ms(p99)}, ${failed} failed (processors ${percent(busy)} busy)`;
      this.log(`p99 at rest ${text(pair.rest)}; during changes ${text(pair.changes)}`);
    }
    return summary(capacity, rate, pairs);
  }

  send(message) {
    return send(this.load, message);
  }

  async measurePair() {
    let slowestChangeMs = 0;
    const parts = {
      rest: () => sleep(CHANGES_IN_SLICE * CHANGE_EVERY_MS),
      changes: async () => (slowestChangeMs = Math.max(slowestChangeMs, await this.makeChanges())),
    };
    const used = { rest: newUse(), changes: newUse() };
    await this.send({ finish: true });
    for (let slice = 0; slice < CHANGES / CHANGES_IN_SLICE; slice += 1) {
      // The order alternates.
      for (const name of slice % 2 === 0 ? ["rest", "changes"] : ["changes", "rest"]) {
        await this.site.change(AT_REST);
        await sleep(GAP_MS);
        await this.send({ part: name });
        const before = processorTimes();
        await parts[name]();
        addUse(used[name], before, processorTimes());
        await this.send({ part: null });
      }
    }
    const { rest, changes } = await this.send({ finish: true });
    const shares = ({ all, busy, own }) => ({ busy: busy / all, own: own / all });
    return {
      rest: { ...rest, ...shares(used.rest) },
      changes: { ...changes, ...shares(used.changes) },
      slowestChangeMs,
    };
  }

  /** Weights of all sizes, up and down, and every 25 changes the other slot becomes live. */
  async makeChanges() {
    const began = performance.now();
    let slowest = 0;
    for (let change = 0; change < CHANGES_IN_SLICE; change += 1) {
      await sleep(Math.max(0, began + change * CHANGE_EVERY_MS - performance.now()));
      const live = Math.floor(this.changed / 25) % 2 === 0 ? "blue" : "green";
      const started = performance.now();
      await this.site.change({ live, weight: (this.changed * 37) % 101, offset: (this.changed * 13) % 100 });
      slowest = Math.max(slowest, performance.now() - started);
      this.changed += 1;
    }
    // Makes the last change as long as the others.
    await sleep(Math.max(0, began + CHANGES_IN_SLICE * CHANGE_EVERY_MS - performance.now()));
    return slowest;
  }
}

function newUse() {
  return { all: 0, busy: 0, own: 0 };
}

function addUse(use, before, after) {
  for (const kind of Object.keys(use)) use[kind] += after[kind] - before[kind];
}

function summary(capacity, rate, pairs) {
  const of = (figure) => median(pairs.map(figure));
  const total = (part, figure) => pairs.reduce((sum, pair) => sum + pair[part][figure], 0);
  const failures = {};
  for (const pair of pairs) {
    for (const [what, times] of Object.entries(pair.changes.failures))
      failures[what] = (failures[what] ?? 0) + times;
  }
  return {
    ...{ capacity, rate, changes: pairs.length * CHANGES },
    sent: total("rest", "sent") + total("changes", "sent"),
    failedAtRest: total("rest", "failed"),
    failedDuringChanges: total("changes", "failed"),
    failures,
    p99AtRestMs: of(({ rest }) => rest.p99),
    p99DuringChangesMs: of(({ changes }) => changes.p99),
    ratio: spread(pairs.map(({ rest, changes }) => changes.p99 / rest.p99)),
    slowestChangeMs: Math.max(...pairs.map(({ slowestChangeMs }) => slowestChangeMs)),
    busyAtRest: of(({ rest }) => rest.busy),
    busyDuringChanges: of(({ changes }) => changes.busy),
  };
}
