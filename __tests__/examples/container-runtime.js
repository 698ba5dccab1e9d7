#!/usr/bin/env node
/**
 * Stands in for docker in the test of examples/own-installer: containers are processes of a small web server. An image
 * whose digest begins with "bad" is not healthy, one that begins with "none" is not there.
 */
"use strict";
const { spawn } = require("node:child_process");
const { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const folder = join(process.env.SERVER_FOLDER, "containers");
mkdirSync(folder, { recursive: true });
const file = (name) => join(folder, `${name}.json`);
const known = (name) => JSON.parse(readFileSync(file(name), "utf8"));

const SITE = `
  const { createServer } = require("node:http");
  const { PORT, RELEASE_ID, STATUS } = process.env;
  createServer((_, response) => {
    response.writeHead(Number(STATUS), { "x-release-id": RELEASE_ID }).end(RELEASE_ID);
  }).listen(Number(PORT), "127.0.0.1");
  process.on("SIGTERM", () => process.exit(0));`;

function start(name) {
  const container = known(name);
  const child = spawn(process.execPath, ["-e", SITE], {
    cwd: process.env.SERVER_FOLDER,
    env: { PATH: process.env.PATH, ...container.env },
    detached: true,
    stdio: "ignore",
  });
  child.unref();
  writeFileSync(file(name), JSON.stringify({ ...container, pid: child.pid }));
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1][0] !== "Z";
  } catch {
    return false;
  }
}

function end(name) {
  const { pid } = known(name);
  if (pid !== undefined && isAlive(pid)) process.kill(pid, "SIGTERM");
  while (pid !== undefined && isAlive(pid)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
}

const [command, ...args] = process.argv.slice(2);
const last = args.at(-1);
switch (command) {
  case "pull":
    process.exitCode = /@sha256:none/.test(last) ? 1 : 0;
    break;
  case "container":
    process.exitCode = existsSync(file(last)) ? 0 : 1;
    break;
  case "run": {
    const name = args[args.indexOf("--name") + 1];
    const env = Object.fromEntries(
      args.flatMap((word, index) => (args[index - 1] === "--env" ? [word.split("=")] : [])),
    );
    const STATUS = /@sha256:bad/.test(last) ? "500" : "200";
    writeFileSync(file(name), JSON.stringify({ env: { ...env, STATUS } }));
    start(name);
    break;
  }
  case "start":
    start(last);
    break;
  case "stop":
    end(last);
    break;
  case "rm":
    end(last);
    rmSync(file(last));
    break;
  case "rename":
    renameSync(file(args[0]), file(last));
    break;
  default:
    process.exitCode = 125;
}
