/** A separate database on an existing PostgreSQL server. */
import { Client } from "pg";

/** @param anew an existing database of this name belonged to a removed data folder: drop it first. */
export async function createPostgresDatabase(server: string, name: string, anew: boolean): Promise<void> {
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
