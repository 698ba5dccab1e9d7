/** Databases that root lent to another user, and whose project is gone: the next start removes them. */
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
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
