/** Where failed answers gather: a bad server is no bad release. Pure. */
import type { EndpointHealth } from "../drivers/driver";

const FEWEST = 3;
const MOST_OF_THEM = 0.8;

/** @returns as in "29 of 31 failed answers came from web-2"; null if they are spread, few, or the proxy can't tell. */
export function errorsGatherAt(
  before: readonly EndpointHealth[],
  now: readonly EndpointHealth[],
): string | null {
  if (now.length < 2) return null;
  const failed = now.map(({ server, errors = 0 }) => {
    const earlier = before.find((each) => each.server === server)?.errors ?? 0;
    return { server, errors: errors >= earlier ? errors - earlier : errors };
  });
  const all = failed.reduce((sum, { errors }) => sum + errors, 0);
  const most = failed.find(({ errors }) => errors >= MOST_OF_THEM * all);
  if (all < FEWEST || most === undefined) return null;
  return `${most.errors === all ? "all" : `${most.errors} of`} ${all} failed answers came from ${most.server}`;
}
