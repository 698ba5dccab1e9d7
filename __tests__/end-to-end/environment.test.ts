/** What a person has exported, and what runs beside an environment, does no harm to it and gets none. */
import { spawn } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HABITS, startFile } from "../on-server/habits";
import { describeEndToEnd, World } from "./world";

describeEndToEnd("a person's environment", () => {
  let world: World;
  let folder: string;
  beforeAll(async () => {
    world = await World.create();
    folder = mkdtempSync(join(realpathSync(tmpdir()), "bluegreen-habits-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("a release, a rollback and `down` work, whatever is exported; `down` leaves other programs alone", async () => {
    const habits = { ...HABITS, BASH_ENV: startFile(folder) };
    for (const version of ["1.0.0", "1.1.0"]) {
      const { file } = await world.pack(version);
      const released = await world.run(["release", version, "--artifact", file], habits);
      expect({ version, exitCode: released.exitCode, stderr: released.stderr }).toMatchObject({
        version,
        exitCode: 0,
      });
    }
    expect(await world.run(["rollback"], habits)).toMatchObject({ exitCode: 0 });
    expect(await world.serving()).toEqual(["1.0.0-1"]);

    const server = world.path(".bluegreen/local/servers/web-1");
    const unrelated = spawn("sleep", ["1000"], { cwd: server, stdio: "ignore" });
    try {
      expect(await world.run(["down"], habits)).toMatchObject({ exitCode: 0 });
      expect(unrelated.exitCode ?? unrelated.signalCode).toBeNull();
    } finally {
      unrelated.kill("SIGKILL");
    }
    expect(await world.end()).toEqual([]);
  });
});
