/** A first look. */
import { BLUE_GREEN, CANARY, simulate } from "./canary";
import type { Conditions } from "./site";
import type { Random } from "./random";

const logNormal = (median: number, sigma: number) => (random: Random) =>
  median * Math.exp(sigma * random.normal());
const RUNS = Number(process.argv[2] ?? 60);
const only = process.argv[3] ?? "";

async function cell(name: string, conditions: Conditions, schedule = CANARY) {
  if (!name.includes(only)) return;
  const t = Date.now();
  let [bad, failed] = [0, 0];
  const seconds: number[] = [];
  const reasons = new Map<string, number>();
  for (let seed = 1; seed <= RUNS; seed++) {
    const end = await simulate(conditions, seed, schedule);
    if (end.promoted) continue;
    bad += 1;
    seconds.push(end.seconds);
    failed += end.failed;
    const reason = end.reason.replace(/[\d.,]+/g, "#").slice(0, 70);
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  seconds.sort((a, b) => a - b);
  const mid = (part: number) => seconds[Math.floor(part * seconds.length)]?.toFixed(1);
  console.log(
    name.padEnd(34),
    `${((100 * bad) / RUNS).toFixed(1)} %`.padStart(8),
    "median",
    mid(0.5),
    "p95",
    mid(0.95),
    "failed",
    (failed / Math.max(1, bad)).toFixed(1),
    `${Date.now() - t} ms`,
    only === "" ? "" : [...reasons].map((r) => r.join(" x ")).join(" | "),
  );
}

async function main() {
  for (const rate of [5, 20, 100, 400])
    for (const errors of [0.002, 0.005, 0.01, 0.02, 0.1])
      await cell(`equal ${rate}/s ${errors}`, {
        requestsPerSecond: rate,
        stable: { errors },
        candidate: { errors },
      });
  for (const rate of [5, 20, 100])
    for (const [median, sigma] of [
      [50, 0.8],
      [100, 1],
      [100, 1.5],
    ] as const) {
      const each = { errors: 0, latency: logNormal(median, sigma) };
      await cell(`equal ${rate}/s sigma ${sigma}`, {
        requestsPerSecond: rate,
        stable: each,
        candidate: each,
      });
    }
  for (const rate of [20, 100]) {
    for (const runs of [5, 10])
      await cell(`equal ${rate}/s runs ${runs}`, {
        requestsPerSecond: rate,
        runs,
        stable: { errors: 0.005 },
        candidate: { errors: 0.005 },
      });
    await cell(`equal ${rate}/s outage`, {
      requestsPerSecond: rate,
      outageSeconds: 20,
      stable: { errors: 0.01 },
      candidate: { errors: 0.01 },
    });
    await cell(`equal ${rate}/s restart`, {
      requestsPerSecond: rate,
      restarts: true,
      stable: { errors: 0.01 },
      candidate: { errors: 0.01 },
    });
    await cell(
      `bg equal ${rate}/s`,
      { requestsPerSecond: rate, stable: { errors: 0.01 }, candidate: { errors: 0.01 } },
      BLUE_GREEN,
    );
    await cell(
      `bg equal ${rate}/s outage`,
      { requestsPerSecond: rate, outageSeconds: 20, stable: { errors: 0.01 }, candidate: { errors: 0.01 } },
      BLUE_GREEN,
    );
  }
  for (const [rate, from, to] of [
    [20, 0.001, 0.01],
    [100, 0.001, 0.01],
    [20, 0.01, 0.1],
    [100, 0.01, 0.1],
    [20, 0, 1],
    [100, 0, 1],
  ] as const)
    await cell(`worse ${rate}/s ${from} to ${to}`, {
      requestsPerSecond: rate,
      stable: { errors: from },
      candidate: { errors: to },
    });
  for (const rate of [20, 100])
    for (const sigma of [0.3, 0.8, 1])
      await cell(`worse ${rate}/s slow sigma ${sigma}`, {
        requestsPerSecond: rate,
        stable: { errors: 0, latency: logNormal(100, sigma) },
        candidate: { errors: 0, latency: logNormal(300, sigma) },
      });
}
void main();
