/**
 * The throughput at rest of a proxy with the configuration of this checkout, against that of another checkout of this project:
 *
 *   git worktree add ../before COMMIT && (cd ../before && npm ci && npm run build)
 *   node development/bench/against.mjs ../before haproxy [rounds] [users|new-users]
 *
 * As in `throughput.mjs`, where the other site is a plain configuration. The last argument gives this checkout affinity, with
 * users who have the cookie of a server, or none; the other checkout may be this one.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { measureThroughput, STATES } from "./throughput.mjs";

/** The newest place first. */
const PLACES = ["development/bench/sites/ours.mjs", "bench/sites/ours.mjs"];

const [other, driver = "haproxy", rounds = "10", clients = "none"] = process.argv.slice(2);
if (other === undefined)
  throw new Error("usage: against.mjs <checkout> [haproxy|nginx] [rounds] [users|new-users]");

const results = await measureThroughput(
  { ours: () => site(join(import.meta.dirname, "../.."), clients), plain: () => site(resolve(other)) },
  {
    rounds: Number(rounds),
    // While traffic is divided, a driver keeps reading its proxy's counters, in the only working directory of this process.
    states: { "at rest": STATES["at rest"] },
    log: (text) => console.error(text.replace("; plain ", `; ${other} `)),
  },
);
console.log(JSON.stringify(results, null, 2));

/** A driver finds its proxy in the working directory, so each site gets its own whenever its traffic changes. */
async function site(checkout, users = "none") {
  const file = PLACES.map((place) => join(checkout, place)).find(existsSync);
  const { startOurs } = await import(pathToFileURL(file).href);
  const home = process.cwd();
  const started = await startOurs(driver, "nginx", users === "none" ? "none" : "server");
  // wrk inherits it.
  if (users === "users") process.env.SERVER_TOKEN = started.token;
  const folder = process.cwd();
  process.chdir(home);
  const change = async (traffic) => {
    process.chdir(folder);
    // Version 0.1.0 has the weight as `share`.
    await started.change({ ...traffic, share: traffic.weight });
  };
  return { ...started, change };
}
