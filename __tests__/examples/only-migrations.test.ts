/** examples/only-migrations: a real database is brought to what a release asks for, and nothing is deployed. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { zipSync } from "fflate";
import { MigrationStack, OperationsStack } from "../../examples/only-migrations/stack";
import { emptyRecord } from "../../release/record";
import { release } from "../../release/transitions";
import { Strategy } from "../../release/schedule";
import { DatabaseServer } from "../on-server/migrate/migrator";
import type { TestDatabase } from "../on-server/migrate/migrator";
import { describeApplied, OwnApp } from "./custom-app";

describeApplied("only the migrations", () => {
  const app = new OwnApp();
  let server: DatabaseServer;
  let database: TestDatabase;
  beforeAll(async () => {
    server = await DatabaseServer.start();
    database = await server.newDatabase();
  });
  afterAll(async () => {
    await database.close();
    server.stop();
    app.remove();
  });

  it("bring a database to what a release asks for", async () => {
    const sql = { "0001-goals.sql": Buffer.from("CREATE TABLE goals (id int);\n") };
    const bundle = zipSync(sql);
    const file = join(app.folder, "migrations.zip");
    writeFileSync(file, bundle);
    mkdirSync(join(app.folder, "own"));
    writeFileSync(join(app.folder, "own/database.url"), database.url);

    const candidate = {
      version: "1.0.0",
      artifact: { url: "https://example.com/shop.zip", sha256: "1".repeat(64) },
      migrations: {
        url: pathToFileURL(file).href,
        sha256: createHash("sha256").update(bundle).digest("hex"),
        newest: "0001-goals.sql",
      },
    };
    const nothing = { live: null, releaseId: null, serving: [] };
    const intent = { environmentSchedule: Strategy.blueGreen() };
    const record = release(emptyRecord("shop"), candidate, nothing, intent);
    app.synthesize((root) => {
      new OperationsStack(root, "operations");
      new MigrationStack(root, "migration", { record, urlFile: "own/database.url" });
    });
    await app.applied("operations");
    await app.applied("migration");
    expect(await database.count("goals")).toBe(0);
    expect(await database.journal()).toEqual([expect.stringMatching(/^0001-goals\.sql /)]);
    expect(await app.planned("migration")).toBe(0);
  });
});
