/**
 * local-database start|stop: the database of the local platform, started and stopped by the base stack.
 *
 * `start` makes a PostgreSQL of its own on a loopback port, or with PG_URL a database of its own on that server, and
 * writes its address to `database.url` in the data folder, for the application and the migrator. `stop` keeps the data.
 * Parameters (environment): PROJECT_FOLDER, relative to it DATA_FOLDER; DATABASE_NAME, DATABASE_PORT; PG_URL and
 * BLUEGREEN_POSTGRES_FOLDER (programs that came as an npm package) where they are set.
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Client } from "pg";
import { writeAtomically } from "../../system/atomic-file";
import { findPrograms } from "../../system/postgres-programs";
import { runProgram, tellResult } from "../result";
import {
  clusterFor,
  createCluster,
  removeCluster,
  removeOrphans,
  startCluster,
  stopCluster,
} from "./cluster";

const MADE_NAME = /^[a-z0-9_]{1,60}$/;

async function main(): Promise<number> {
  const [command] = process.argv.slice(2);
  if (command === "stop") await stop();
  else if (command === "start") await start();
  else throw new Error("start or stop is wanted");
  await tellResult({ step: "local-database", outcome: command === "start" ? "started" : "stopped" });
  return 0;
}

async function stop(): Promise<void> {
  const cluster = clusterFor(sharedFolder());
  if (existsSync(cluster.folder)) await stopCluster(cluster, findPrograms());
}

async function start(): Promise<void> {
  const dataFolder = sharedFolder();
  const urlFile = join(dataFolder, "database.url");
  const cluster = clusterFor(dataFolder);
  const name = wanted("DATABASE_NAME");
  if (!MADE_NAME.test(name)) throw new Error(`${JSON.stringify(name)} is no name for a database here`);
  mkdirSync(dataFolder, { recursive: true });
  const given = process.env["PG_URL"];
  if (given !== undefined && given !== "") {
    const url = new URL(given);
    url.pathname = `/${name}`;
    await createDatabase(given, name, !existsSync(urlFile));
    writeAtomically(urlFile, `${url.href}\n`);
    return;
  }
  const programs = findPrograms();
  await removeOrphans(cluster, programs);
  // A data folder that was removed took its database with it; a cluster that is left belongs to the old one.
  if (!existsSync(urlFile)) await removeCluster(cluster, programs);
  const port = Number(wanted("DATABASE_PORT"));
  if (!existsSync(cluster.folder)) {
    const password = await createCluster(cluster, programs, dataFolder);
    writeAtomically(urlFile, `postgres://bluegreen:${password}@127.0.0.1:${port}/${name}\n`);
  }
  await startCluster(cluster, programs, port);
  const url = new URL(readFileSync(urlFile, "utf8").trim());
  if (Number(url.port) !== port) {
    url.port = String(port);
    writeAtomically(urlFile, `${url.href}\n`);
  }
  url.pathname = "/postgres";
  await createDatabase(url.href, name, false);
}

/** @param anew what is there under this name belonged to a data folder that is gone. */
async function createDatabase(server: string, name: string, anew: boolean): Promise<void> {
  const client = new Client({ connectionString: server, connectionTimeoutMillis: 15_000 });
  await client.connect();
  try {
    if (anew) await client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
    const { rowCount } = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE "${name}"`);
  } finally {
    await client.end();
  }
}

function sharedFolder(): string {
  return resolve(wanted("PROJECT_FOLDER"), wanted("DATA_FOLDER"));
}

function wanted(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") throw new Error(`${name} is missing`);
  return value;
}

runProgram("local database", main, ({ message }) => {
  console.error(`local database: ${message}`);
  return 1;
});
