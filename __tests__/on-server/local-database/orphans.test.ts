/** Databases that root lent to another user, and whose project is gone: the next start removes them. */
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { DatabaseServer } from "../migrate/migrator";

const LENT = "/var/tmp/bluegreen-database-";
const promise = process.getuid?.() === 0 ? it : it.skip;

let server: DatabaseServer;
beforeAll(async () => (server = await DatabaseServer.start()));
afterAll(() => server.stop());

/** As a killed rehearsal leaves it; many files, so that removing it takes a while. */
function leaveOrphan(belongsTo = "/nowhere/any/more"): string {
  const folder = mkdtempSync(LENT);
  for (let index = 0; index < 40; index++) {
    const inner = join(folder, "data", String(index));
    mkdirSync(inner, { recursive: true });
    for (let file = 0; file < 50; file++) writeFileSync(join(inner, String(file)), "");
  }
  writeFileSync(join(folder, "belongs-to"), belongsTo);
  const { uid, gid } = statSync(server.lentFolder);
  chownSync(folder, uid, gid);
  return folder;
}

promise("several starts at once remove the same orphans, and none stumbles over another", async () => {
  const others = [await DatabaseServer.start(), await DatabaseServer.start()];
  const orphans = [1, 2, 3, 4].map(() => leaveOrphan());
  try {
    const said = await Promise.all([server, ...others].map((each) => each.startAgain()));
    expect(said).toEqual(["", "", ""]);
    expect(orphans.filter((orphan) => existsSync(orphan))).toEqual([]);
  } finally {
    for (const other of others) other.stop();
  }
});

promise("a database whose project is there stays, and so does what somebody else put there", async () => {
  const own = leaveOrphan(resolve("."));
  const foreign = mkdtempSync(LENT);
  try {
    expect(await server.startAgain()).toBe("");
    expect([own, foreign].map((folder) => existsSync(folder))).toEqual([true, true]);
  } finally {
    for (const folder of [own, foreign]) rmSync(folder, { recursive: true });
  }
});

promise("root's folder has a name that no other account can know before, and only its user enters it", () => {
  expect(server.lentFolder).toMatch(/^\/var\/tmp\/bluegreen-database-[0-9a-f]{32}$/);
  expect(existsSync(server.formerFolder)).toBe(false);
  expect(statSync(server.lentFolder).mode & 0o777).toBe(0o700);
});

promise("a folder that another account put under the former name is not used, and stays", async () => {
  const other = await DatabaseServer.start();
  const lent = other.lentFolder;
  try {
    mkdirSync(join(other.formerFolder, "data"), { recursive: true });
    writeFileSync(join(other.formerFolder, "data", "postgresql.conf"), "");
    chownSync(other.formerFolder, 65_534, 65_534);
    for (const file of ["database.place", "database.url"] as const) other.forget(file);
    expect(await other.startAgain()).toBe("");
    expect(other.lentFolder).not.toBe(other.formerFolder);
    expect(readdirSync(join(other.formerFolder, "data"))).toEqual(["postgresql.conf"]);
    // The database of the data folder before was removed with it.
    expect(existsSync(lent)).toBe(false);
  } finally {
    other.stop();
    rmSync(other.formerFolder, { recursive: true });
  }
});

promise("the database that version 0.1 created there goes on", async () => {
  const other = await DatabaseServer.start();
  try {
    renameSync(other.lentFolder, other.formerFolder);
    other.forget("database.place");
    const { ino } = statSync(other.formerFolder);
    expect(await other.startAgain()).toBe("");
    expect([other.lentFolder, statSync(other.formerFolder).ino]).toEqual([other.formerFolder, ino]);
  } finally {
    other.stop();
  }
});
