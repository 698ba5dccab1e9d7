/** A connection that is cut at any unit of a migration: what the migrator says then, and what the next one makes of it. */
import { CuttingRelay } from "../../../development/testbed/cutting-relay";
import type { Kit, MigratedDatabase, Words } from "./kits";
import type { Ended, Scripts } from "./operations";

/** Two migrators keep this machine's processors busy. */
const SIDE_BY_SIDE = 3;

interface Found {
  readonly journal: readonly string[];
  readonly rows: Readonly<Record<string, number>>;
  /** Each statement that was committed, where the server keeps them. */
  readonly statements: readonly string[] | null;
}

interface Cut {
  /** After so many units. */
  readonly point: number;
  readonly how: "rst" | "fin";
}

/** @param wanted how many cuts, spread over the run; Infinity: each unit, by RST and by FIN. @returns how many. */
export async function cutEverywhere(kit: Kit, wanted: number): Promise<number> {
  const scripts = migrations(kit.words);
  const [boundaries, undisturbed] = await undisturbedRun(kit, scripts);
  const step = Math.max(1, (2 * boundaries) / wanted);
  const cuts = Array.from({ length: Math.ceil((2 * boundaries) / step) }, (_, index): Cut => {
    const at = Math.floor(index * step);
    return { point: Math.floor(at / 2), how: index % 2 === 0 ? "rst" : "fin" };
  });
  const lines = Array.from({ length: SIDE_BY_SIDE }, async (_, line) => {
    for (const cut of cuts.filter((__, index) => index % SIDE_BY_SIDE === line)) {
      await cutAt(kit, scripts, cut, undisturbed);
    }
  });
  await Promise.all(lines);
  return cuts.length;
}

function migrations(words: Words): Scripts {
  return {
    "0001-goals.sql": `${words.create("goals")};\n${words.insert("goals")};`,
    "0002-notes.sql": `${words.create("notes")};\n${words.insert("notes")};\n${words.insert("goals")};`,
    "0003-tags.sql": `-- no-transaction\n${words.create("tags")};\n${words.insert("tags")};`,
    "0004-more.sql": `${words.insert("tags")};\n${words.insert("notes")};`,
  };
}

const ALONE = "0003-tags.sql";

async function undisturbedRun(kit: Kit, scripts: Scripts): Promise<[number, Found]> {
  const database = await kit.newDatabase();
  const relay = await CuttingRelay.start({ target: database.target });
  try {
    database.reach(database.addressAt(relay.port));
    const ended = await database.run(scripts);
    expect(ended).toMatchObject({ exitCode: 0 });
    return [relay.boundaries, await look(database)];
  } finally {
    await relay.close();
    await database.close();
  }
}

async function cutAt(kit: Kit, scripts: Scripts, { point, how }: Cut, undisturbed: Found): Promise<void> {
  const database = await kit.newDatabase();
  const relay = await CuttingRelay.start({ target: database.target, cutAfter: point, how });
  try {
    database.reach(database.addressAt(relay.port));
    const ended = await database.run(scripts);
    const at = `cut by ${how} after ${point} units: ${ended.stderr}`;
    const journal = await database.journalIfThere();
    const applied = Object.keys(scripts).every((name) => journal.includes(`${name} applied`));
    expect([at, ended.exitCode === 0 ? applied : [1, 3].includes(ended.exitCode!)]).toEqual([at, true]);
    database.reach(database.addressAt(database.target.port));
    const wasAnswered = await goOn(database, scripts, at);
    const found = await look(database);
    expect([at, found.journal, found.rows]).toEqual([at, undisturbed.journal, undisturbed.rows]);
    if (!wasAnswered) expect([at, found.statements]).toEqual([at, undisturbed.statements]);
  } finally {
    await relay.close();
    await database.close();
  }
}

/** @returns whether a person had to say what became of the script without a transaction. */
async function goOn(database: MigratedDatabase, scripts: Scripts, at: string): Promise<boolean> {
  const again = await database.run(scripts);
  if (again.exitCode === 0) return false;
  expect([at, again.exitCode, again.result["running"]]).toEqual([at, 3, ALONE]);
  expect(again.result["reason"]).toContain(`bluegreen migrations resolve ${ALONE} --as`);
  const isThere = await database.has("tags");
  const isWhole = isThere && (await database.count("tags")) === 1;
  if (isThere && !isWhole) await database.drop("tags");
  const resolved = await database.spawn(["resolve", ALONE, "--as", isWhole ? "applied" : "pending"]).ended;
  expect([at, resolved.exitCode]).toEqual([at, 0]);
  const mended: Ended = await database.run(scripts);
  expect([at, mended.exitCode]).toEqual([at, 0]);
  return true;
}

async function look(database: MigratedDatabase): Promise<Found> {
  const rows: Record<string, number> = {};
  for (const table of ["goals", "notes", "tags"]) rows[table] = await database.count(table);
  return { journal: await database.journal(), rows, statements: database.committed() };
}
