/** A deadline is by the monotonic clock: a clock that is set must neither end a wait nor make it endless. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOMS = ["on-server", "cli", "system"];
const files = ROOMS.flatMap((room) =>
  readdirSync(room, { recursive: true, encoding: "utf8" }).map((name) => join(room, name)),
).filter((name) => /\.(ts|sh)$/.test(name));

/** A wall clock in the sum that makes a deadline: Date.now() + ..., SECONDS + ... (bash's follows the wall clock). */
const WALL_CLOCK = /Date\.now\(\) \+ |(?<![A-Z_])SECONDS [+<]|date \+%s%3N/;
/** Which log the workers of NGINX still write to: an age, compared with a file's. */
const AGES = ["on-server/director/drivers/nginx/answers-log.ts"];

test.each(files.filter((name) => !AGES.includes(name)))("%s", (name) => {
  const lines = readFileSync(name, "utf8").split("\n");
  expect(lines.filter((line) => WALL_CLOCK.test(line))).toEqual([]);
});
