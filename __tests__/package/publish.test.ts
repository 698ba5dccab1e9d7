/** Publishing: only from the pipeline, with provenance; what may publish runs no code of a dependency. */
import { spawn, spawnSync } from "node:child_process";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { pack } from "./tarball";

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
}
interface Workflow {
  readonly permissions: Record<string, string>;
  readonly jobs: Record<
    string,
    { readonly permissions: Record<string, string>; readonly steps: readonly Step[] }
  >;
}

const text = readFileSync(".github/workflows/publish.yml", "utf8");
const workflow = parse(text) as Workflow;
const stepsOf = (job: string): readonly Step[] => workflow.jobs[job]!.steps;
const script = (job: string, step: string): string => stepsOf(job).find(({ name }) => name === step)!.run!;

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "bluegreen-publish-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Without what a pipeline that runs these tests, or a user's npm, sets. */
function environment(more: Record<string, string>): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(npm_|GITHUB_|ACTIONS_|CI$)/i.test(name));
  return { ...Object.fromEntries(own), ...more };
}

function bash(command: string, env: Record<string, string>) {
  return spawnSync("bash", ["-e", "-c", command], {
    cwd: folder,
    encoding: "utf8",
    env: environment(env),
  });
}

test("only the last job may sign, it runs nothing but npm, and there is no token", () => {
  expect(workflow.permissions).toEqual({});
  const rights = Object.entries(workflow.jobs).map(([job, { permissions }]) => [job, permissions]);
  expect(Object.fromEntries(rights)).toEqual({
    build: { contents: "read" },
    publish: { "id-token": "write" },
  });
  expect(stepsOf("publish").flatMap(({ run }) => run ?? [])).toEqual([
    "npm publish --ignore-scripts ./packed/*.tgz",
  ]);
  expect(text).not.toMatch(/secrets\.|_authToken/);
});

test("every action is named by its commit", () => {
  const actions = Object.keys(workflow.jobs).flatMap((job) => stepsOf(job).flatMap(({ uses }) => uses ?? []));
  expect(actions.length).toBeGreaterThan(4);
  expect(actions.filter((action) => !/^actions\/[a-z-]+@[0-9a-f]{40}$/.test(action))).toEqual([]);
});

test.each([
  ["v1.2.3", 0],
  ["v1.2.4", 1],
  ["1.2.3", 1],
])("version 1.2.3 and the tag %s: exit code %d", (tag, status) => {
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "any", version: "1.2.3" }));
  expect(bash(script("build", "The tag is the version"), { GITHUB_REF_NAME: tag }).status).toBe(status);
});

test("the package names the repository that the pipeline runs for", () => {
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "any", version: "1.2.3" }));
  const env = { GITHUB_SERVER_URL: "https://github.com", GITHUB_REPOSITORY: "owner/any" };
  expect(bash(script("build", "Name the repository"), env).status).toBe(0);
  const { repository } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    repository: unknown;
  };
  expect(repository).toEqual({ type: "git", url: "git+https://github.com/owner/any.git" });
});

describe("a registry that takes everything", () => {
  let registry: Server;
  let requests: string[];
  beforeEach(async () => {
    requests = [];
    registry = createServer((request, response) => {
      requests.push(request.method!);
      request.resume();
      request.on("end", () => response.end("{}"));
    });
    await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
  });
  afterEach(() => registry.close());

  test.each([
    ["a person's machine", {}, "provenance generation not supported"],
    [
      "a job without the right to sign",
      { GITHUB_ACTIONS: "true" },
      'requires "write" access to the "id-token"',
    ],
  ])("from %s npm publishes nothing", async (_, variables, reason) => {
    mkdirSync(join(folder, "packed"));
    pack(join(folder, "packed"));
    const { port } = registry.address() as AddressInfo;
    writeFileSync(join(folder, ".npmrc"), `//127.0.0.1:${port}/:_authToken=any\nupdate-notifier=false\n`);
    const env = environment({
      ...variables,
      npm_config_registry: `http://127.0.0.1:${port}/`,
      npm_config_cache: join(folder, "cache"),
      npm_config_loglevel: "error",
    });
    const npm = spawn("bash", ["-e", "-c", script("publish", "Publish")], { cwd: folder, env });
    let printed = "";
    npm.stderr.on("data", (piece: Buffer) => (printed += piece.toString()));
    const status = await new Promise((resolve) => npm.on("close", resolve));
    expect({ status, printed }).toEqual({ status: 1, printed: expect.stringContaining(reason) });
    expect(requests).not.toContain("PUT");
  });
});
