/** Shared by all measurements: medians and their spread, and processor times. */
import { cpus } from "node:os";

export function median(numbers) {
  return quantile(numbers, 0.5);
}

/** The median and the quartiles. */
export function spread(numbers) {
  return { median: median(numbers), low: quantile(numbers, 0.25), high: quantile(numbers, 0.75) };
}

function quantile(numbers, part) {
  const sorted = [...numbers].sort((one, other) => one - other);
  const at = (sorted.length - 1) * part;
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return below + (above - below) * (at - Math.floor(at));
}

/** Milliseconds of a monotonic clock that all processes of the machine share. */
export function clock() {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Milliseconds of all processors so far: the total, the busy time, and the time of this process. */
export function processorTimes() {
  const sum = (kinds) =>
    cpus().reduce((total, { times }) => total + kinds.reduce((all, kind) => all + times[kind], 0), 0);
  const { user, system } = process.cpuUsage();
  const busy = sum(["user", "nice", "sys", "irq"]);
  return { all: busy + sum(["idle"]), busy, own: (user + system) / 1000 };
}

export const ms = (milliseconds) => `${milliseconds.toFixed(1)} ms`;
export const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(2)} s`;
export const percent = (part) => `${Math.round(part * 100)} %`;
export const count = (number) => Math.round(number).toLocaleString("en");
