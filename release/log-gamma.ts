/** The logarithm of the gamma function, for binomials and Poisson distributions of large numbers; `logGamma(n + 1)` is that of n!. */

/** Stirling's series, after a shift to where it is exact to ten digits. */
export function logGamma(number: number): number {
  let [shifted, sum] = [number, 0];
  while (shifted < 10) {
    sum -= Math.log(shifted);
    shifted += 1;
  }
  const square = shifted * shifted;
  const series = 1 / (12 * shifted) - 1 / (360 * shifted * square) + 1 / (1260 * shifted * square * square);
  return sum + (shifted - 0.5) * Math.log(shifted) - shifted + Math.log(2 * Math.PI) / 2 + series;
}
