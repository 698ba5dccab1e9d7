/**
 * The command lines of both engines, each from npm and with the Node.js that it needs: what one deploys, the other finds
 * unchanged, and releases run between them.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cdktfCommand } from "../../cli/project/cdktf-command";
import { commandLineOf } from "../../cli/project/engines";
import { describeEndToEnd, World } from "../end-to-end/world";
import type { Ran } from "../end-to-end/world";
import { Project } from "./project";

const DEPLOY = ["deploy", "base", "--auto-approve"];
const UNCHANGED = { exitCode: 0, stdout: expect.stringContaining("No changes.") };
const PATIENCE_MS = 600_000;

describeEndToEnd("CDK Terrain's command line", () => {
  let tools: Project;
  let world: World;
  beforeAll(async () => {
    tools = new Project(mkdtempSync(join(tmpdir(), "bluegreen-tools-")));
    const { package: name, version } = commandLineOf(tools.folder, "26.0.0");
    tools.write("package.json", { private: true });
    await tools.must("npm", [
      "install",
      "--prefer-offline",
      "--no-audit",
      "--no-fund",
      "node@22",
      `${name}@${version}`,
    ]);
    world = await World.create();
  }, PATIENCE_MS);
  afterAll(async () => {
    rmSync(tools.folder, { recursive: true });
    expect(await world.end()).toEqual([]);
  });

  function cdktn(args: readonly string[]): Promise<Ran> {
    const [program, script] = ["node", "cdktn"].map((name) => tools.in("node_modules/.bin", name));
    return world.start([script!, ...args], { program: program!, env: { CI: "true" } }).ended;
  }

  test(
    "and CDKTF's work on the same stacks and states, with releases in between",
    async () => {
      expect(await cdktn(DEPLOY)).toMatchObject({ exitCode: 0 });
      expect(await world.cdktf(DEPLOY)).toMatchObject(UNCHANGED);
      expect(await world.release("1.0.0")).toMatchObject({ outcome: "installed", exitCode: 0 });
      expect(await world.cdktf(DEPLOY)).toMatchObject(UNCHANGED);
      expect(await world.release("1.1.0")).toMatchObject({ outcome: "promoted", exitCode: 0 });
      expect(await cdktn(DEPLOY)).toMatchObject(UNCHANGED);
    },
    PATIENCE_MS,
  );

  test("is the one that messages name in a project that has it", () => {
    expect(cdktfCommand("deploy base", tools.folder)).toMatch(/npx cdktn deploy base$/);
  });
});
