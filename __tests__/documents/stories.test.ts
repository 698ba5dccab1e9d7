/** The stories that documents tell on the local platform, run as a reader runs them: in an empty folder, with the built command. */
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { COMMAND, describeEndToEnd } from "../end-to-end/world";
import { at, blocksOf, readPages } from "./pages";

const STORIES = readPages()
  .flatMap(blocksOf)
  .filter(({ note }) => note?.kind === "run")
  .map((block) => [at(block), block] as const);

interface Told {
  readonly exitCode: number | null;
  readonly said: string;
}

describeEndToEnd("a story in the documents", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(realpathSync(tmpdir()), "bluegreen-story-"));
    mkdirSync(join(folder, "bin"));
    mkdirSync(join(folder, "project"));
    program("bluegreen", `exec "${process.execPath}" "${COMMAND}" "$@"`);
    program("npx", `[[ $1 == bluegreen ]] || { echo "npx $1: not in a story"; exit 2; }; exec "$@"`);
  });
  afterEach(async () => {
    await tell("! [[ -f environments/local.json ]] || bluegreen down");
    const left = processesIn(folder);
    for (const pid of left) spawnSync("kill", ["-KILL", String(pid)]);
    rmSync(folder, { recursive: true });
    expect(left).toEqual([]);
  });

  const program = (name: string, line: string): void => {
    const file = join(folder, "bin", name);
    writeFileSync(file, `#!/usr/bin/env bash\n${line}\n`);
    chmodSync(file, 0o755);
  };

  const tell = (script: string): Promise<Told> => {
    const { BLUEGREEN_ENVIRONMENT: _, ...env } = process.env;
    const child = spawn("bash", ["-euo", "pipefail", "-c", script], {
      cwd: join(folder, "project"),
      env: { ...env, PATH: `${join(folder, "bin")}:${env["PATH"]}`, NO_COLOR: "1", CHECKPOINT_DISABLE: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (said += text));
    }
    return new Promise((done) => child.once("close", (exitCode) => done({ exitCode, said })));
  };

  test("there is one", () => expect(STORIES.length).toBeGreaterThan(0));

  test.each(STORIES)("%s is told to its end", async (_, { text }) => {
    const { exitCode, said } = await tell(text);
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}:\n${said}`);
    expect(said).not.toMatch(/✖|Error:/);
  });
});

function processesIn(folder: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(`${folder}/`);
      } catch {
        return false; // It ended meanwhile.
      }
    });
}
