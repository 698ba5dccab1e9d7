import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buildSync } from "esbuild";
import { isLocked, lockHolder, tryLock } from "../../system/process-lock";

const folder = mkdtempSync(join(tmpdir(), "lock-"));
const program = join(folder, "holder.js");
const children: ChildProcess[] = [];

beforeAll(() => {
  buildSync({
    stdin: {
      contents: `
        import { tryLock } from "./system/process-lock";
        const [file, how] = process.argv.slice(2);
        tryLock(file, "a holder").then((lock) => {
          console.log(lock === null ? "taken" : "paused");
          if (how === "stay") setInterval(() => undefined, 1_000);
        });`,
      resolveDir: resolve(__dirname, "../.."),
    },
    bundle: true,
    platform: "node",
    outfile: program,
  });
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(() => rmSync(folder, { recursive: true }));

function start(file: string, how: "stay" | "end"): ChildProcess {
  const child = spawn(process.execPath, [program, file, how], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return child;
}

async function held(child: ChildProcess): Promise<string> {
  const [said] = (await once(child.stdout!, "data")) as [Buffer];
  return String(said).trim();
}

/** The kernel frees a lock a moment after its process is gone. */
async function eventuallyLocked(file: string): Promise<string | null> {
  for (;;) {
    const lock = await tryLock(file, "the next one");
    if (lock === null) continue;
    lock.release();
    return lock.takenOverFrom;
  }
}

test("only one process at a time has a lock, and the holder's words are there to read", async () => {
  const file = join(folder, "one");
  expect(lockHolder(file)).toBe("unknown");
  const lock = await tryLock(file, "switch 17, process 4711");
  expect(await tryLock(file, "another")).toBeNull();
  expect(lockHolder(file)).toBe("switch 17, process 4711");
  expect(await isLocked(file)).toBe(true);
  expect(await held(start(file, "stay"))).toBe("taken");
  lock!.release();
  expect(await eventuallyLocked(file)).toBeNull();
  expect(await isLocked(file)).toBe(false);
});

test("a lock ends with its process, however that ends", async () => {
  const file = join(folder, "killed");
  const child = start(file, "stay");
  expect(await held(child)).toBe("paused");
  expect(await tryLock(file, "too early")).toBeNull();
  child.kill("SIGKILL");
  expect(await eventuallyLocked(file)).toBe("a holder");
  expect(lockHolder(file)).toBe("unknown");
});

test("a process that is done ends although it holds a lock", async () => {
  const file = join(folder, "done");
  const child = start(file, "end");
  const [code] = (await once(child, "exit")) as [number];
  expect(code).toBe(0);
  await eventuallyLocked(file);
});

test("a file that can't be locked is an error, not a free lock", async () => {
  await expect(tryLock(join(folder, "missing", "lock"), "me")).rejects.toThrow("can't be locked");
});

test("two files are two locks", async () => {
  const [one, two] = [await tryLock(join(folder, "a"), "me"), await tryLock(join(folder, "b"), "me")];
  expect(one).not.toBeNull();
  expect(two).not.toBeNull();
  one!.release();
  two!.release();
});

test("whoever only looks, over and over, keeps nobody from a lock", async () => {
  const file = join(folder, "looked-at");
  let isLooking = true;
  const lookers = [1, 2].map(async () => {
    while (isLooking) {
      await isLocked(file);
      await sleep(5);
    }
  });
  const locks: boolean[] = [];
  try {
    for (let turn = 0; turn < 10; turn += 1) {
      const lock = await tryLock(file, "a release");
      locks.push(lock !== null);
      lock?.release();
    }
  } finally {
    isLooking = false;
    await Promise.all(lookers);
  }
  expect(locks).toEqual(locks.map(() => true));
});

test("whoever only looks is no holder to another who looks", async () => {
  const file = join(folder, "seen");
  const looks = Array.from({ length: 20 }, () => isLocked(file));
  expect(new Set(await Promise.all(looks))).toEqual(new Set([false]));
});
