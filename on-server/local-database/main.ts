/**
 * local-database start|stop: the database of the local platform, started and stopped by the base stack.
 *
 * `start` creates a PostgreSQL server on a loopback port, or a database on the server that PG_URL names (for SQL Server:
 * MSSQL_URL). It writes the address to `database.url` in the data folder, for the application and the migrator.
 * `stop` keeps the data.
 * Parameters (environment): PROJECT_FOLDER, relative to it DATA_FOLDER; DATABASE_NAME, DATABASE_PORT, DATABASE_DIALECT
 * (postgres or mssql) and for mssql MIGRATOR, the migrator's file; optionally PG_URL, MSSQL_URL and
 * BLUEGREEN_POSTGRES_FOLDER (programs from an npm package).
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  databaseOnServer,
  DIALECTS,
  NO_SQL_SERVER,
  SERVER_VARIABLE,
} from "../../release/migrations/database-address";
import { EXIT } from "../../release/exit-code";
import { InvalidInput } from "../../release/failure";
import { writeAtomically } from "../../system/atomic-file";
import { findPrograms } from "../../system/postgres-programs";
import { runProgram, printResult } from "../result";
import {
  clusterFor,
  createCluster,
  removeCluster,
  removeOrphans,
  startCluster,
  stopCluster,
} from "./cluster";
import { createPostgresDatabase } from "./postgres-server";
import { createSqlServerDatabase } from "./sql-server";

const DATABASE_NAME_PATTERN = /^[a-z0-9_]{1,60}$/;

async function main(): Promise<number> {
  const [command] = process.argv.slice(2);
  if (command === "stop") await stop();
  else if (command === "start") await start();
  else throw new Error("the command must be start or stop");
  await printResult({ step: "local-database", outcome: command === "start" ? "started" : "stopped" });
  return EXIT.done;
}

async function stop(): Promise<void> {
  const cluster = clusterFor(sharedFolder());
  if (existsSync(cluster.folder)) await stopCluster(cluster, findPrograms());
}

async function start(): Promise<void> {
  const dataFolder = sharedFolder();
  const urlFile = join(dataFolder, "database.url");
  const name = required("DATABASE_NAME");
  if (!DATABASE_NAME_PATTERN.test(name))
    throw new Error(`${JSON.stringify(name)} is not a valid name for a database`);
  const dialect = readDialect();
  const given = process.env[SERVER_VARIABLE[dialect]] ?? "";
  if (given !== "") {
    const { server, address } = databaseOnServer(given, name, dialect);
    mkdirSync(dataFolder, { recursive: true });
    const anew = !existsSync(urlFile);
    if (server.dialect === "mssql") await createSqlServerDatabase(resolve(required("MIGRATOR")), name, anew);
    else await createPostgresDatabase(server.connectionString, name, anew);
    writeAtomically(urlFile, `${address}\n`);
    return;
  }
  if (dialect === "mssql") throw new InvalidInput(NO_SQL_SERVER);
  mkdirSync(dataFolder, { recursive: true });
  let cluster = clusterFor(dataFolder);
  const programs = findPrograms();
  // Without the file, the data folder was removed, and a cluster that is left belongs to the old one.
  const isNew = !existsSync(urlFile);
  await removeOrphans(cluster, programs, isNew ? dataFolder : null);
  if (isNew) {
    await removeCluster(cluster, programs);
    cluster = clusterFor(dataFolder);
  }
  const port = Number(required("DATABASE_PORT"));
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
  await createPostgresDatabase(url.href, name, false);
}

function readDialect(): (typeof DIALECTS)[number] {
  const given = process.env["DATABASE_DIALECT"] || DIALECTS[0];
  const dialect = DIALECTS.find((each) => each === given);
  if (dialect === undefined) throw new InvalidInput(`DATABASE_DIALECT must be ${DIALECTS.join(" or ")}`);
  return dialect;
}

function sharedFolder(): string {
  return resolve(required("PROJECT_FOLDER"), required("DATA_FOLDER"));
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") throw new Error(`${name} is missing`);
  return value;
}

runProgram("local database", main, (error) => {
  console.error(`local database: ${error.message}`);
  return error instanceof InvalidInput ? EXIT.badInput : EXIT.unexpected;
});
