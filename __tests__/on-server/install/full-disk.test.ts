/** A disk that a release would fill: the release is refused, and nothing that is left of it stops the next one. */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { base64, eachTestHasAServer, expectFailure, zip, type Installation, type Parameters } from "./server";

const MIB = 1024 * 1024;
/** 8 MiB of it stay free. */
const DISK_MIB = 40;
const TOO_MUCH = 40 * MIB;

/** A small disk of its own, if this user may mount one. */
function mount(folder: string): void {
  fs.mkdirSync(folder);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_MIB}m`, "tmpfs", folder], { stdio: "pipe" });
}

function mountingFails(): string | undefined {
  const folder = fs.mkdtempSync("/tmp/disk-");
  try {
    mount(`${folder}/small`);
    execFileSync("umount", [`${folder}/small`]);
    return undefined;
  } catch {
    return "only root can mount a small disk";
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const missing = mountingFails();
if (missing !== undefined) console.warn(`skipped, ${missing}: a full disk`);

(missing === undefined ? describe : describe.skip)("a full disk", () => {
  // Before the server's folder is removed. Lazily, because its processes run there.
  afterEach(() => void execFileSync("umount", ["-l", server().folder]));
  const server = eachTestHasAServer();
  beforeEach(async () => {
    mount(server().folder);
    expect(await good(1)).toMatchObject({ code: 0 });
  });

  function good(sequence: number): Promise<Installation> {
    return server().install(server().parameters(sequence, server().application()));
  }

  /** The next release is installed although this one failed. */
  async function refused(parameters: Parameters, text: RegExp): Promise<void> {
    const run = await server().install(parameters);
    expectFailure(run, 4);
    expect(run.stderr).toMatch(text);
    expect(server().list("downloads")).toEqual([]);
    expect(server().list("releases")).toEqual(["1.0.0-1"]);
    expect(await good(3)).toMatchObject({ code: 0 });
    expect((await server().get()).release).toBe("1.0.0-3");
  }

  const ROOM =
    /install: the disk has no room for .+: \d+ bytes are free in \S+, and 8388608 of them stay free: free some/;

  test.each([
    ["with its size", true],
    ["without its size", false],
  ])("refuses a download %s that has no room", async (_title, sized) => {
    const address = await server().serve((_request, response) => {
      response.writeHead(200, sized ? { "content-length": TOO_MUCH } : {});
      const more = (left: number): void => {
        if (left === 0) response.end();
        else response.write(Buffer.alloc(MIB), () => more(left - 1));
      };
      more(TOO_MUCH / MIB);
    });
    const release = server().parameters(2, server().application({ failures: 1 }), {
      ARTIFACT_URL_BASE64: base64(`${address}/app.zip`),
    });
    await refused(release, ROOM);
  });

  test("refuses a file of another disk that has no room", async () => {
    const large = server().artifact(Buffer.alloc(TOO_MUCH));
    await refused(server().parameters(2, large), ROOM);
  });

  test("refuses an archive whose files have no room", async () => {
    const data = "x".repeat(20 * MIB);
    const large = server().artifact(
      zip([
        { name: "one", data },
        { name: "two", data: data.slice(8 * MIB) },
      ]),
    );
    await refused(server().parameters(2, large), ROOM);
  });

  test("is repaired by the next run if a killed one has filled it", async () => {
    fs.mkdirSync(server().path("releases/.staging-1.0.0-2-1"));
    for (const file of ["downloads/x.partial", "releases/.staging-1.0.0-2-1/half"]) fill(file, DISK_MIB / 2);
    fill("downloads/rest.partial", DISK_MIB);
    expect(await good(3)).toMatchObject({ code: 0 });
    expect((await server().get()).release).toBe("1.0.0-3");
  });

  test("by another program: the failure reports the free bytes, and the slot stays as it is", async () => {
    fill("uploads", DISK_MIB);
    const run = await good(2);
    expectFailure(run, 1);
    expect(run.stderr).toMatch(/sequence cannot be written \(\d+ bytes are free on its disk\): free some/);
    expect((await server().get()).release).toBe("1.0.0-1");
    fs.rmSync(server().path("uploads"));
    expect(await good(2)).toMatchObject({ code: 0 });
  });

  /** Fills as much as there is. */
  function fill(file: string, mib: number): void {
    const handle = fs.openSync(server().path(file), "w");
    try {
      for (let written = 0; written < mib; written++) fs.writeSync(handle, Buffer.alloc(MIB));
      for (;;) if (mib < DISK_MIB || fs.writeSync(handle, Buffer.alloc(4096)) === 0) break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    } finally {
      fs.closeSync(handle);
    }
  }
});
