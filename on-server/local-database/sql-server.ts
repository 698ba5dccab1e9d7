/** A separate database on a SQL Server. The migrator creates it, as only the migrator connects to SQL Server. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { EXIT } from "../../release/exit-code";
import { InvalidInput } from "../../release/failure";

/**
 * @param migrator its bundle; it reads the server's address from the environment. @param anew an existing database of
 * this name belonged to a removed data folder: drop it first.
 */
export async function createSqlServerDatabase(migrator: string, name: string, anew: boolean): Promise<void> {
  const args = [migrator, "create-database", name, ...(anew ? ["--anew"] : [])];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [output, [exitCode]] = await Promise.all([
    text(child.stdout),
    once(child, "exit") as Promise<[number | null]>,
  ]);
  const line = output.trim().split("\n").at(-1) ?? "";
  const result = line.startsWith("{") ? (JSON.parse(line) as { database?: string; reason?: string }) : {};
  // The exit code alone proves nothing: the result must name the database.
  if (exitCode === EXIT.done && result.database === name) return;
  const reason =
    result.reason ?? `the migrator ended with exit code ${exitCode} and did not report that ${name} exists`;
  throw exitCode === EXIT.badInput ? new InvalidInput(reason) : new Error(reason);
}
