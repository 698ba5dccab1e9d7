#!/usr/bin/env node
/**
 * A custom driver for an existing HAProxy with its own configuration. It turns the director's weights into weights of the
 * servers, which are named `<slot>-<server>`. The protocol is in docs/library.md, "A custom driver".
 *
 *   driver.js <admin socket> <backend>
 *
 * Weights divide requests, not clients: a user may get both releases during a shift. For clients that stay on one release
 * use the driver "haproxy".
 */
"use strict";
const { existsSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
const { connect } = require("node:net");

const TRAFFIC_FILE = "told.json";
const CLOSED = { live: null, weight: 0, offset: 0, mode: "serve", fallback: false };
const RUNNING = "2";
const [socketPath, backend] = process.argv.slice(2);

const answers = {
  configure: async () => ({}),

  /**
   * HAProxy's weights show the traffic. Before the first change the driver reports "closed", although HAProxy serves: so
   * the first release takes over without a gap.
   */
  observe: async () => {
    if (!existsSync(TRAFFIC_FILE)) return { traffic: CLOSED };
    const saved = JSON.parse(readFileSync(TRAFFIC_FILE, "utf8"));
    const servers = await serversNow();
    // Two values: a driver that was killed between file and HAProxy left the previous one.
    for (const traffic of [saved.now, saved.before]) {
      if (servers.every(({ slot, weight }) => weight === weightOf(slot, traffic))) return { traffic };
    }
    throw new Error(
      `the weights of ${backend} changed without this driver: set them to those in ${TRAFFIC_FILE}, or remove the file`,
    );
  },

  setTraffic: async ({ traffic }) => {
    const servers = await serversNow();
    const per = (slot) => servers.filter((server) => server.slot === slot).length;
    if (per("blue") !== per("green"))
      throw new Error(`${backend} must have the same number of servers for blue and green`);
    if (traffic.mode === "hold")
      throw new Error("this driver can't hold requests: remove driverCommand.holds");
    const before = (await answers.observe()).traffic;
    writeFileSync(`${TRAFFIC_FILE}.new`, JSON.stringify({ now: traffic, before }));
    renameSync(`${TRAFFIC_FILE}.new`, TRAFFIC_FILE);
    // First the servers that get more, so that a server always has a weight.
    const changes = servers
      .map((server) => ({ ...server, wanted: weightOf(server.slot, traffic) }))
      .filter(({ weight, wanted }) => weight !== wanted)
      .sort((one, other) => other.wanted - other.weight - (one.wanted - one.weight));
    for (const { name, wanted } of changes) await execute(`set weight ${backend}/${name} ${wanted}`);
    return {};
  },

  counts: async () => {
    const [servers, rows] = await Promise.all([serversNow(), table("show stat", ",")]);
    const count = (slot) => {
      const inSlot = servers.filter((server) => server.slot === slot);
      const stats = rows.filter(
        (row) => row.pxname === backend && inSlot.some(({ name }) => name === row.svname),
      );
      const sum = (column) => stats.reduce((total, row) => total + Number(row[column] || 0), 0);
      return {
        requests: sum("stot"),
        errors: sum("hrsp_5xx"),
        inFlight: sum("scur"),
        endpoints: inSlot.map(({ server, healthy, inRotation }) => ({ server, healthy, inRotation })),
      };
    };
    return { counts: { blue: count("blue"), green: count("green") } };
  },

  exclude: (question) => setState(question, "drain"),
  include: (question) => setState(question, "ready"),

  cut: async ({ slot }) => {
    for (const { name } of (await serversNow()).filter((server) => server.slot === slot))
      await execute(`shutdown sessions server ${backend}/${name}`);
    return {};
  },
};

function weightOf(slot, { live, weight, mode }) {
  if (live === null || mode === "page") return 0;
  return slot === live ? 100 - weight : weight;
}

async function setState({ slot, servers }, state) {
  for (const server of servers) await execute(`set server ${backend}/${slot}-${server} state ${state}`);
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

/** Parses a table of HAProxy; the line with "#" has the names of the columns. */
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

async function execute(command) {
  const answer = (await ask(command)).trim();
  if (answer !== "") throw new Error(`HAProxy refused "${command}": ${answer}`);
}

function ask(command) {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(socketPath, () => socket.end(`${command}\n`));
    socket.setEncoding("utf8").setTimeout(5_000, () => socket.destroy(new Error("no answer in time")));
    socket.on("data", (text) => (answer += text));
    socket.on("error", (error) =>
      reject(new Error(`HAProxy can't be reached on ${socketPath}: ${error.message}`)),
    );
    socket.on("close", () => resolve(answer));
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
