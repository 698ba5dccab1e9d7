/** A disk that a release would fill, on Windows: the release is refused, and nothing that is left stops the next one. */
import * as fs from "node:fs";
import {
  describeOnWindows,
  eachTestHasAWindowsServer,
  expectInstalled,
  expectRefused,
} from "./windows-server";

const MIB = 1024 * 1024;
/** 8 MiB of it stay free. */
const DISK = { diskBytes: 40 * MIB };
const TOO_MUCH = 40 * MIB;

describeOnWindows("a full disk on Windows", () => {
  const server = eachTestHasAWindowsServer();
  beforeEach(async () => {
    expectInstalled(
      await server().install(server().parameters("blue", 1, server().publish()), DISK),
      "installed",
    );
  });

  async function nextIsInstalled(): Promise<void> {
    expect(server().list("downloads")).toEqual([]);
    expect(server().list("releases")).toEqual(["1.0.0-1"]);
    expectInstalled(
      await server().install(server().parameters("green", 3, server().publish()), DISK),
      "installed",
    );
    expect(await server().served("blue")).toBe("1.0.0-1");
    expect(await server().served("green")).toBe("1.0.0-3");
  }

  const ROOM =
    /^install: the disk has no room for .+: \d+ bytes are free in \S+, and 8388608 of them stay free: free some/;

  test("refuses a download that has no room, with its size and without it", async () => {
    const release = server().publish();
    for (const headers of [{ "content-length": TOO_MUCH }, {}]) {
      server().machine.azure.instead = (_request, response) => {
        response.on("error", () => undefined);
        response.writeHead(200, headers).end(Buffer.alloc(TOO_MUCH));
      };
      expectRefused(await server().install(server().parameters("green", 2, release), DISK), 4, ROOM);
    }
    server().machine.azure.instead = undefined;
    await nextIsInstalled();
  });

  test("refuses an archive whose files have no room", async () => {
    const release = server().publish({ "one.txt": "x".repeat(18 * MIB) });
    expectRefused(await server().install(server().parameters("green", 2, release), DISK), 4, ROOM);
    await nextIsInstalled();
  });

  test("is repaired by the next run if a killed one has filled it", async () => {
    fs.writeFileSync(server().path("downloads/x.partial"), Buffer.alloc(DISK.diskBytes));
    const run = await server().install(server().parameters("green", 2, server().publish()), DISK);
    expectInstalled(run, "installed");
    expect(server().list("downloads")).toEqual([]);
  });

  test("by another program: the failure has Windows' reason, and the live slot stays as it is", async () => {
    const run = await server().install(server().parameters("green", 2, server().publish()), { diskBytes: 1 });
    expectRefused(
      run,
      1,
      /comparing the sequence of the record, line \d+: There is not enough space on the disk.: check the server/,
    );
    await nextIsInstalled();
  });
});
