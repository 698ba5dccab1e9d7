/**
 * NGINX logs answers only while a director counts them. The director marks the present span of time and the next one, and
 * NGINX looks for a mark of the present span. So a director that is killed leaves no log that grows.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";

export const WATCHED = "watched";
const SPAN_SECONDS = 100;

/** `$span`, from NGINX's clock: the number of spans since 1970. */
export const SPAN_MAP = `  map $msec $span {
    default '';
    '~^(?<spans>[0-9]+)[0-9][0-9][.]' $spans;
  }
`;

/** Effective at once; for at least {@link SPAN_SECONDS} more. */
export function markWatched(now = Date.now()): void {
  const present = Math.floor(now / (1000 * SPAN_SECONDS));
  const wanted = [String(present), String(present + 1)];
  mkdirSync(WATCHED, { recursive: true });
  chmodSync(WATCHED, 0o755);
  for (const name of wanted) if (!existsSync(`${WATCHED}/${name}`)) writeFileSync(`${WATCHED}/${name}`, "");
  for (const name of readdirSync(WATCHED)) {
    if (!wanted.includes(name)) rmSync(`${WATCHED}/${name}`, { force: true });
  }
}

export function unmarkWatched(): void {
  rmSync(WATCHED, { recursive: true, force: true });
}
