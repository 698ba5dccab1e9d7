/**
 * Which paths of users' requests are pages that every release has. The files of one build are not: a page loads a dozen of
 * them, so they would be most of the popular paths, and the next release has others. Pure.
 */
import { HTTP_PATH } from "../../release/patterns";

const FILES =
  /\.(?:js|mjs|cjs|css|map|wasm|png|jpe?g|gif|svg|webp|avif|ico|bmp|woff2?|ttf|otf|eot|mp[34]|webm|ogg|wav|pdf|zip|gz)$/i;

/** As bundlers and frameworks write the digest or the number of a build into a path. */
const SHORTEST_FINGERPRINT = 8;

/** @param path as users sent it, without its query string: anything may be in it. */
export function mayBePage(path: string): boolean {
  return HTTP_PATH.test(path) && !path.includes("?") && !FILES.test(path) && !hasFingerprint(path);
}

function hasFingerprint(path: string): boolean {
  return path
    .split(/[/._~-]/)
    .some((part) => part.length >= SHORTEST_FINGERPRINT && /\d/.test(part) && /[A-Za-z]/.test(part));
}
