/**
 * Checks the migrator against a live SQL Server, which the tests can't: MSSQL_URL names a scratch database, as in
 * mssql://sa:...@127.0.0.1/scratch?trustServerCertificate=true. What it makes there, it removes again.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { zipSync } from "fflate";

const MIGRATOR = resolve("lib/on-server/migrate.js");
const address = process.env.MSSQL_URL;
if (address === undefined || !address.startsWith("mssql://")) {
  console.error("MSSQL_URL must name a scratch database: mssql://user:password@host/database");
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), "bluegreen-mssql-"));
const file = join(folder, "database.url");
writeFileSync(file, address, { mode: 0o600 });
let failed = 0;

const GOALS = {
  "0001-goals.sql": `SET ANSI_NULLS ON
GO
CREATE TABLE dbo.bluegreen_check (Id int IDENTITY NOT NULL PRIMARY KEY, Title nvarchar(100) NOT NULL)
GO
INSERT dbo.bluegreen_check (Title) VALUES (N'a
GO
b')
GO 5
`,
  "0002-procedure.sql": `CREATE PROCEDURE dbo.bluegreen_check_count AS
BEGIN
  SELECT COUNT(*) FROM dbo.bluegreen_check; -- ; GO
END
GO
EXEC dbo.bluegreen_check_count
GO
IF (SELECT COUNT(*) FROM dbo.bluegreen_check) <> 5 THROW 50000, 'GO 5 did not run five times', 1;
`,
};

function start(scripts, command = "run", more = {}) {
  const bundle = zipSync(
    Object.fromEntries(Object.entries(scripts).map(([name, sql]) => [name, Buffer.from(sql)])),
  );
  const sha256 = createHash("sha256").update(bundle).digest("hex");
  const zip = join(folder, `${sha256}.zip`);
  writeFileSync(zip, bundle);
  const names = Object.keys(scripts).sort();
  const contracts = names.filter((name) => name.includes("-contract-"));
  const spec = {
    formatVersion: 1,
    application: "check",
    sequence: 1,
    recordDigest: "0".repeat(64),
    releaseId: "1.0.0-1",
    bundle: { url: pathToFileURL(zip).href, sha256, newest: names.at(-1) },
    contracts,
    contracted: contracts,
    database: { kind: "file", file },
    waitSeconds: 60,
    ...more,
  };
  return node([command, "--spec", Buffer.from(JSON.stringify(spec)).toString("base64")]);
}

function node(args) {
  const child = spawn(process.execPath, [MIGRATOR, ...args, "--folder", folder], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stdout.on("data", (data) => (said += data));
  child.stderr.on("data", (data) => (said += data));
  const ended = new Promise((done) => child.on("close", (exitCode) => done({ exitCode, said })));
  return { child, ended, said: () => said };
}

async function check(name, ended, exitCode, says = /./) {
  const result = await ended;
  const holds = result.exitCode === exitCode && says.test(result.said);
  if (!holds) failed += 1;
  console.log(
    `${holds ? "ok" : "FAILED"}: ${name}${holds ? "" : `: exit ${result.exitCode}: ${result.said.trim()}`}`,
  );
}

async function until(run, text) {
  for (const end = Date.now() + 30_000; Date.now() < end && !run.said().includes(text);) await sleep(20);
}

const FAILING = {
  ...GOALS,
  "0003-fails.sql": "ALTER TABLE dbo.bluegreen_check ADD A int NULL\nGO\n\nSELECT * FROM dbo.nowhere_at_all",
};
const SLOW = {
  ...GOALS,
  "0003-slow.sql": "WAITFOR DELAY '00:00:03';\nGO\nINSERT dbo.bluegreen_check (Title) VALUES (N'slow')",
};
const NO_TRANSACTION = { ...SLOW, "0004-slow.sql": "-- no-transaction\nWAITFOR DELAY '00:00:05';" };
const GONE = {
  ...NO_TRANSACTION,
  "0005-contract-all.sql": "DROP PROCEDURE dbo.bluegreen_check_count\nGO\nDROP TABLE dbo.bluegreen_check",
};

try {
  await check("batches, GO 5, GO in a string, a procedure", start(GOALS).ended, 0, /"migrated"/);
  await check("applied scripts are skipped", start(GOALS).ended, 0, /"unchanged"/);
  await check("a failing script, with its line", start(FAILING).ended, 4, /0003-fails\.sql, line 4/);
  await check("and nothing of it stays", start(FAILING).ended, 4, /nowhere_at_all/);
  await check(
    "a changed script",
    start({ ...GOALS, "0001-goals.sql": "SELECT 1" }).ended,
    3,
    /was changed after/,
  );
  const first = start(SLOW);
  await until(first, "0003-slow.sql");
  const second = start(SLOW);
  await check("two at once: one runs", first.ended, 0, /"migrated"/);
  await check("the other waits", second.ended, 0, /another migration of this database runs[^]*"unchanged"/);
  const killed = start(NO_TRANSACTION);
  await until(killed, "0004-slow.sql");
  await sleep(1_000);
  killed.child.kill("SIGKILL");
  await killed.ended;
  await check("killed without a transaction", start(NO_TRANSACTION).ended, 3, /did not come to its end/);
  await check("resolved", node(["resolve", "0004-slow.sql", "--as", "applied"]).ended, 0, /"resolved"/);
  await check("a contract script", start(GONE).ended, 0, /0005-contract-all\.sql/);
} finally {
  const rest = {
    ...GONE,
    "0006-contract-journal.sql":
      "-- no-transaction\nIF OBJECT_ID('dbo.bluegreen_check_count') IS NOT NULL DROP PROCEDURE dbo.bluegreen_check_count;\nDROP TABLE IF EXISTS dbo.bluegreen_check, dbo.bluegreen_migrations;",
  };
  // It ends with an error, as it drops the journal in which it would be noted.
  await start(rest).ended;
  rmSync(folder, { recursive: true });
}
console.log(failed === 0 ? "SQL Server does what PostgreSQL does in the tests" : `${failed} checks failed`);
process.exitCode = failed === 0 ? 0 : 1;
