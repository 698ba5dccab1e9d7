/** Random numbers that depend on a seed only. */

export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = (seed * 2654435761 + 1) >>> 0;
  }

  /** From 0 to 1 (mulberry32). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  poisson(mean: number): number {
    if (mean <= 0) return 0;
    if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()));
    const limit = Math.exp(-mean);
    let [count, product] = [0, this.next()];
    while (product > limit) {
      count += 1;
      product *= this.next();
    }
    return count;
  }

  binomial(trials: number, part: number): number {
    if (part <= 0 || trials <= 0) return 0;
    if (part >= 1) return trials;
    const mean = trials * part;
    if (trials > 50 && mean < 10) return Math.min(trials, this.poisson(mean));
    if (trials > 50 && mean <= trials - 10) {
      return Math.min(trials, Math.max(0, Math.round(mean + Math.sqrt(mean * (1 - part)) * this.normal())));
    }
    let count = 0;
    for (let trial = 0; trial < trials; trial++) if (this.next() < part) count += 1;
    return count;
  }
}
