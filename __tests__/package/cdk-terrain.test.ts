/**
 * CDK Terrain, the community's successor of CDKTF, in the place of cdktf (docs/library.md): both recipes resolve in a
 * project that had cdktf, and both stacks of every environment come out as before, as JSON, but for the versions that
 * they name.
 */
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Project, workplace } from "./project";
import { appOf, ENVIRONMENTS, synthesized, writeInputs } from "./stacks";
import type { Json } from "./stacks";
import { pack } from "./tarball";
import type { Tarball } from "./tarball";

const PROVIDER = "@cdktf/provider-azurerm";
const PEERS = ["cdktf", "constructs", PROVIDER];
const APP_FILE = "main.mjs";

type Stacks = Record<string, Json>;

interface Recipe {
  readonly dependencies: Record<string, string>;
  readonly overrides?: Record<string, string>;
}

let folder: string;
let tarball: Tarball;
let before: Project;
let placesBefore: Record<string, string>;
let stacksBefore: Stacks;

beforeAll(async () => {
  folder = workplace();
  tarball = pack(folder);
  before = new Project(join(folder, "cdktf"));
  placesBefore = await resolve(before, { dependencies: { cdktf: "^0.21.0", constructs: "10.7.2" } });
  await before.unpack(tarball.path);
  before.link(...PEERS);
  stacksBefore = await synthesize(before);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function resolve(project: Project, recipe: Recipe): Promise<Record<string, string>> {
  const dependencies = { ...recipe.dependencies, "cdktf-bluegreen": `file:${tarball.path}` };
  return project.resolve({ ...recipe, dependencies });
}

async function synthesize(project: Project): Promise<Stacks> {
  writeInputs(project);
  project.write(APP_FILE, appOf(ENVIRONMENTS));
  await project.node(APP_FILE);
  return synthesized(project);
}

/** What comes of the stacks once a project that had cdktf follows a recipe. */
async function after(name: string, recipe: Recipe): Promise<Stacks> {
  const project = new Project(join(folder, name));
  copyFileSync(before.in("package-lock.json"), project.in("package-lock.json"));
  await resolve(project, recipe);
  await project.unpack(tarball.path);
  await project.fetch([...PEERS, "cdktn"]);
  return await synthesize(project);
}

/** Takes out of the stacks which versions of the engine and of the provider they name. */
function apart(stacks: Stacks) {
  const rest = structuredClone(stacks);
  const [engines, providers] = [new Set<unknown>(), new Set<unknown>()];
  for (const stack of Object.values(rest)) {
    const { metadata } = stack["//"] as { metadata: Json };
    engines.add(metadata["version"]);
    delete metadata["version"];
    const { required_providers: required = {} } = stack["terraform"] as { required_providers?: Stacks };
    for (const provider of Object.values(required)) {
      providers.add(provider["version"]);
      delete provider["version"];
    }
  }
  return { engines: [...engines], providers: [...providers], rest };
}

test("without either, npm resolves the package and its peers: one of each", () => {
  expect(placesBefore).toMatchObject({
    cdktf: "0.21.0",
    constructs: "10.7.2",
    [PROVIDER]: expect.stringMatching(/^14\./),
  });
  const copies = Object.keys(placesBefore).filter((place) =>
    PEERS.some((name) => place.endsWith(`/node_modules/${name}`)),
  );
  expect(copies).toEqual([]);
});

test("recipe B: CDK Terrain as cdktf, with cdktf's provider package", async () => {
  const stacks = await after("b", {
    dependencies: { cdktf: "npm:cdktn@0.24.0", [PROVIDER]: "14.23.1", constructs: "10.7.2" },
    overrides: { cdktf: "$cdktf" },
  });
  const [one, other] = [apart(stacksBefore), apart(stacks)];
  expect([one.engines, other.engines]).toEqual([["0.21.0"], ["0.24.0"]]);
  expect(other.providers).toEqual(one.providers);
  expect(other.rest).toEqual(one.rest);
});

test("recipe C: CDK Terrain as cdktf, with its own provider package", async () => {
  const stacks = await after("c", {
    dependencies: {
      cdktf: "npm:cdktn@0.24.0",
      [PROVIDER]: "npm:@cdktn/provider-azurerm@16.1.0",
      constructs: "10.7.2",
    },
    overrides: { cdktf: "$cdktf", cdktn: "0.24.0", [PROVIDER]: `$${PROVIDER}` },
  });
  const [one, other] = [apart(stacksBefore), apart(stacks)];
  expect([one.engines, other.engines]).toEqual([["0.21.0"], ["0.24.0"]]);
  expect([one.providers, other.providers]).toEqual([["4.55.0"], ["4.73.0"]]);
  expect(other.rest).toEqual(one.rest);
});
