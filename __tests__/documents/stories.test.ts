/** The stories that documents tell on the local platform, run as a reader runs them: in an empty folder, with the built command. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { COMMAND, describeEndToEnd } from "../end-to-end/world";
import { at, blocksOf, readPages } from "./pages";
import { follow, processesIn } from "../../development/testbed/processes";

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
    for (const { pid } of left) spawnSync("kill", ["-KILL", String(pid)]);
    rmSync(folder, { recursive: true });
    expect(left).toEqual([]);
  });

  const program = (name: string, line: string): void => {
    const file = join(folder, "bin", name);
    writeFileSync(file, `#!/usr/bin/env bash\n${line}\n`);
    chmodSync(file, 0o755);
  };

  const tell = async (script: string): Promise<Told> => {
    const { BLUEGREEN_ENVIRONMENT: _, ...env } = process.env;
    const child = spawn("bash", ["-euo", "pipefail", "-c", script], {
      cwd: join(folder, "project"),
      env: { ...env, PATH: `${join(folder, "bin")}:${env["PATH"]}`, NO_COLOR: "1", CHECKPOINT_DISABLE: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { exitCode, stdout, stderr } = await follow(child).ended;
    return { exitCode, said: stdout + stderr };
  };

  test("there is one", () => expect(STORIES.length).toBeGreaterThan(0));

  test.each(STORIES)("%s is told to its end", async (_, { text }) => {
    const { exitCode, said } = await tell(text);
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}:\n${said}`);
    expect(said).not.toMatch(/✖|Error:/);
  });
});
