/**
 * Several migrators at once with an index that is built beside everybody: each waiting session that holds a snapshot
 * would deadlock with it. MIGRATOR_ROUNDS plays it more often.
 */
import { DatabaseServer } from "./migrator";

const ROUNDS = Number(process.env["MIGRATOR_ROUNDS"] ?? 6);

it("all of them end well, and no index is INVALID", async () => {
  const server = await DatabaseServer.start();
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const database = await server.newDatabase();
      const scripts = {
        "0001-goals.sql":
          "CREATE TABLE goals (id int, author text);\nINSERT INTO goals SELECT n, n FROM generate_series(1, 20000) n;",
        "0002-index.sql":
          "-- no-transaction\nCREATE INDEX CONCURRENTLY goals_author ON goals (author);\nCREATE INDEX CONCURRENTLY goals_id ON goals (id);",
      };
      const migrators = Array.from({ length: 2 + (round % 4) }, () => database.run(scripts));
      const ended = await Promise.all(migrators);
      expect(ended.map(({ exitCode, stderr }) => (exitCode === 0 ? "" : stderr))).toEqual(
        ended.map(() => ""),
      );
      expect(await database.rows("SELECT 1 FROM pg_index WHERE NOT indisvalid")).toEqual([]);
      expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-index.sql applied"]);
      await database.close();
    }
  } finally {
    server.stop();
  }
});
