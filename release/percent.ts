/** Formats ratios for people. */

/** "58.9 %", "1.2 %", "0.31 %"; a small ratio is not rounded to 0. */
export function percent(ratio: number): string {
  const value = 100 * Math.abs(ratio);
  const sign = ratio < 0 ? "-" : "";
  if (value > 0 && value < 0.01) return `< ${sign}0.01 %`;
  return `${sign}${Number(value >= 10 ? value.toFixed(1) : value.toPrecision(2))} %`;
}

/** "2,076" */
export function thousands(number: number): string {
  return number.toLocaleString("en-US");
}
