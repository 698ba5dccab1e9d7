/**
 * The files of one build are no pages that every release has: a page loads a dozen of them, so they would be most of the
 * popular paths, and the next release has others. Pure.
 */
const FILES =
  /\.(?:js|mjs|cjs|css|map|wasm|png|jpe?g|gif|svg|webp|avif|ico|bmp|woff2?|ttf|otf|eot|mp[34]|webm|ogg|wav|pdf|zip|gz)$/i;

/** As bundlers and frameworks write the digest or the number of a build into a path. */
const SHORTEST_FINGERPRINT = 8;

export function isOfBuild(path: string): boolean {
  const parts = path.replaceAll(/%[0-9a-f]{2}/gi, "").split(/[^0-9A-Za-z]/);
  const isFingerprint = (part: string) =>
    part.length >= SHORTEST_FINGERPRINT && /\d/.test(part) && /[A-Za-z]/.test(part);
  return FILES.test(path) || parts.some(isFingerprint);
}
