#!/usr/bin/env node
/**
 * An own driver: for an HAProxy that is there already, with its own configuration. The director's weights become weights
 * of its servers, which are named `<slot>-<server>`. What it is asked and answers: docs/library.md, "A custom driver".
 *
 *   driver.js <admin socket> <backend>
 *
 * Weights divide requests, not clients: a user may meet both releases during a shift. Whoever needs clients to stay
 * where they are takes our own configuration (driver "haproxy").
 */
"use strict";
const { existsSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
const { connect } = require("node:net");

const TOLD = "told.json";
const CLOSED = { live: null, weight: 0, offset: 0, mode: "serve", fallback: false };
const RUNNING = "2";
const [socketPath, backend] = process.argv.slice(2);

const answers = {
  configure: async () => ({}),

  /**
   * The weight is HAProxy's own word. Until it was told something it is "closed" to the director, although it serves: so
   * the first release takes over from what is there without a gap.
   */
  observe: async () => {
    if (!existsSync(TOLD)) return { traffic: CLOSED };
    const told = JSON.parse(readFileSync(TOLD, "utf8"));
    const servers = await serversNow();
    // Told twice: a driver that was ended in between left one of the two.
    for (const traffic of [told.now, told.before]) {
      if (servers.every(({ slot, weight }) => weight === weightOf(slot, traffic))) return { traffic };
    }
    throw new Error(
      `somebody else changed the weights of ${backend}: set them to what ${TOLD} says, or remove it`,
    );
  },

  setTraffic: async ({ traffic }) => {
    const servers = await serversNow();
    const per = (slot) => servers.filter((server) => server.slot === slot).length;
    if (per("blue") !== per("green"))
      throw new Error(`${backend} must have as many servers for blue as for green`);
    if (traffic.mode === "hold") throw new Error("requests can't wait here: leave out driverCommand.holds");
    const before = (await answers.observe()).traffic;
    writeFileSync(`${TOLD}.new`, JSON.stringify({ now: traffic, before }));
    renameSync(`${TOLD}.new`, TOLD);
    // Who gets more comes first, so that there is always somebody.
    const changes = servers
      .map((server) => ({ ...server, wanted: weightOf(server.slot, traffic) }))
      .filter(({ weight, wanted }) => weight !== wanted)
      .sort((one, other) => other.wanted - other.weight - (one.wanted - one.weight));
    for (const { name, wanted } of changes) await silently(`set weight ${backend}/${name} ${wanted}`);
    return {};
  },

  counts: async () => {
    const [servers, rows] = await Promise.all([serversNow(), table("show stat", ",")]);
    const count = (slot) => {
      const own = servers.filter((server) => server.slot === slot);
      const stats = rows.filter(
        (row) => row.pxname === backend && own.some(({ name }) => name === row.svname),
      );
      const sum = (column) => stats.reduce((total, row) => total + Number(row[column] || 0), 0);
      return {
        requests: sum("stot"),
        errors: sum("hrsp_5xx"),
        inFlight: sum("scur"),
        endpoints: own.map(({ server, healthy, inRotation }) => ({ server, healthy, inRotation })),
      };
    };
    return { counts: { blue: count("blue"), green: count("green") } };
  },

  exclude: (question) => tellServers(question, "drain"),
  include: (question) => tellServers(question, "ready"),

  cut: async ({ slot }) => {
    for (const { name } of (await serversNow()).filter((server) => server.slot === slot))
      await silently(`shutdown sessions server ${backend}/${name}`);
    return {};
  },
};

function weightOf(slot, { live, weight, mode }) {
  if (live === null || mode === "page") return 0;
  return slot === live ? 100 - weight : weight;
}

async function tellServers({ slot, servers }, state) {
  for (const server of servers) await silently(`set server ${backend}/${slot}-${server} state ${state}`);
  return {};
}

async function serversNow() {
  const rows = await table(`show servers state ${backend}`, " ");
  return rows.flatMap((row) => {
    const [, slot, server] = /^(blue|green)-(.+)$/.exec(row.srv_name ?? "") ?? [];
    if (slot === undefined) return [];
    const weight = Number(row.srv_uweight);
    const healthy = row.srv_op_state === RUNNING;
    return [{ name: row.srv_name, slot, server, weight, healthy, inRotation: row.srv_admin_state === "0" }];
  });
}

/** What HAProxy tells as lines, by the names in the one that begins with "#". */
async function table(command, separator) {
  const lines = (await ask(command)).split("\n");
  const first = lines.findIndex((line) => line.startsWith("# "));
  if (first < 0) throw new Error(`HAProxy does not know ${backend}: ${lines[0]}`);
  const columns = lines[first].slice(2).split(separator);
  return lines.slice(first + 1).map((line) => {
    const cells = line.split(separator);
    return Object.fromEntries(columns.map((column, index) => [column, cells[index]]));
  });
}

async function silently(command) {
  const said = (await ask(command)).trim();
  if (said !== "") throw new Error(`HAProxy refused "${command}": ${said}`);
}

function ask(command) {
  return new Promise((resolve, reject) => {
    let said = "";
    const socket = connect(socketPath, () => socket.end(`${command}\n`));
    socket.setEncoding("utf8").setTimeout(5_000, () => socket.destroy(new Error("no answer in time")));
    socket.on("data", (text) => (said += text));
    socket.on("error", (error) =>
      reject(new Error(`HAProxy can't be reached on ${socketPath}: ${error.message}`)),
    );
    socket.on("close", () => resolve(said));
  });
}

async function main() {
  const question = JSON.parse(readFileSync(0, "utf8"));
  if (question.formatVersion !== 1)
    throw new Error(`format ${question.formatVersion} is newer than this driver`);
  const answer = answers[question.operation];
  if (answer === undefined) throw new Error(`"${question.operation}" is newer than this driver`);
  console.log(JSON.stringify(await answer(question)));
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
