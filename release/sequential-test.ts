/**
 * The constants of the sequential test by which a candidate is judged, for the director and for what `plan` promises. See
 * `on-server/director/verdict/evidence.ts`.
 */

/** How many times worse a candidate may be: the likelihood ratio is averaged over these. */
export const RATIOS = [1.5, 2, 3, 5, 10, 30, 100] as const;
/** Failed, slow, 3xx and 4xx answers of users; failed and slow ones of the director's requests. */
export const COMPARISONS = 6;
