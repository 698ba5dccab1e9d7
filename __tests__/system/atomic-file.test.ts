import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buildSync } from "esbuild";
import { writeAtomically } from "../../system/atomic-file";

const folder = mkdtempSync(join(tmpdir(), "atomic-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("the new content replaces the old one, for the owner alone, and leaves nothing beside it", () => {
  const file = join(folder, "state.json");
  writeAtomically(file, "old");
  writeAtomically(file, "new, and longer; é");
  expect(readFileSync(file, "utf8")).toBe("new, and longer; é");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(["state.json"]);
});

test("a file that others may read says so", () => {
  const file = join(folder, "page");
  writeAtomically(file, "x", 0o640);
  expect(statSync(file).mode & 0o777).toBe(0o640);
});

test("a name without a folder is written where the process is", () => {
  const home = process.cwd();
  process.chdir(folder);
  try {
    writeAtomically("here", "x");
  } finally {
    process.chdir(home);
  }
  expect(readFileSync(join(folder, "here"), "utf8")).toBe("x");
});

test("where it can't be written the old content stays", () => {
  const file = join(folder, "kept");
  mkdirSync(`${file}.${process.pid}.new`);
  writeFileSync(file, "old");
  expect(() => writeAtomically(file, "new")).toThrow(/EISDIR/);
  expect(readFileSync(file, "utf8")).toBe("old");
});

test("where there is no room, or too long a file, the old content stays and no half file is left", () => {
  const program = join(folder, "limited.js");
  buildSync({
    stdin: {
      contents: `
        import { writeAtomically } from "./system/atomic-file";
        process.on("SIGXFSZ", () => undefined);
        try { writeAtomically("limited", "x".repeat(100_000)); } catch (error) { console.log(error.code); }`,
      resolveDir: resolve(__dirname, "../.."),
    },
    bundle: true,
    platform: "node",
    outfile: program,
  });
  const home = mkdtempSync(join(folder, "limited-"));
  writeFileSync(join(home, "limited"), "old");
  const { stdout } = spawnSync("bash", ["-c", 'ulimit -f 8 && exec "$0" "$1"', process.execPath, program], {
    cwd: home,
    encoding: "utf8",
  });
  expect(stdout.trim()).toBe("EFBIG");
  expect(readdirSync(home)).toEqual(["limited"]);
  expect(readFileSync(join(home, "limited"), "utf8")).toBe("old");
});

test("a writer that is killed leaves one content or the other, never a part", async () => {
  const program = join(folder, "writer.js");
  buildSync({
    stdin: {
      contents: `
        import { writeAtomically } from "./system/atomic-file";
        for (let n = 0; ; n++) writeAtomically(process.argv[2], String(n % 10).repeat(200_000));`,
      resolveDir: resolve(__dirname, "../.."),
    },
    bundle: true,
    platform: "node",
    outfile: program,
  });
  const file = join(folder, "killed");
  writeFileSync(file, "0".repeat(200_000));
  const { ino } = statSync(file);
  for (let round = 0; round < 5; round += 1) {
    const child = spawn(process.execPath, [program, file], { stdio: "ignore" });
    const exited = once(child, "exit");
    const end = Date.now() + 60_000;
    while (statSync(file).ino === ino && round === 0 && Date.now() < end) await sleep(5);
    await sleep(20 + 17 * round);
    child.kill("SIGKILL");
    await exited;
    expect(readFileSync(file, "utf8")).toMatch(/^(\d)\1{199999}$/);
  }
});
