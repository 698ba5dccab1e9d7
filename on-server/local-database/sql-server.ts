/** A database of one's own on a SQL Server: the migrator makes it, as it is the program that speaks to SQL Server. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { EXIT } from "../../release/exit-code";
import { InvalidInput } from "../../release/failure";

/**
 * @param migrator its bundle; it finds the server's address in the environment. @param anew what is there under this
 * name belonged to a data folder that is gone.
 */
export async function createSqlServerDatabase(migrator: string, name: string, anew: boolean): Promise<void> {
  const args = [migrator, "create-database", name, ...(anew ? ["--anew"] : [])];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [output, [exitCode]] = await Promise.all([
    text(child.stdout),
    once(child, "exit") as Promise<[number | null]>,
  ]);
  const line = output.trim().split("\n").at(-1) ?? "";
  const said = line.startsWith("{") ? (JSON.parse(line) as { database?: string; reason?: string }) : {};
  // Its own last line says that it is done: an exit code alone may be an accident.
  if (exitCode === EXIT.done && said.database === name) return;
  const reason =
    said.reason ?? `the migrator ended with exit code ${exitCode} and did not say that ${name} is there`;
  throw exitCode === EXIT.badInput ? new InvalidInput(reason) : new Error(reason);
}
