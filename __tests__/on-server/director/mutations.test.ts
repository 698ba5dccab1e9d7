/** Each guard of the director is needed: without it the property of its invariant fails. */
import { readFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { build } from "esbuild";
import type { Plugin } from "esbuild";
import { MUTATIONS } from "./mutations";
import type { Mutation } from "./mutations";

const DIRECTOR = resolve(__dirname, "../../../on-server/director");
const NOTICED = 7;
const RUNS = 1_500;

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "mutations-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function replacing({ file, text, without }: Mutation): Plugin {
  const path = join(DIRECTOR, file);
  return {
    name: "without a guard",
    setup: (builder) =>
      builder.onLoad({ filter: /\.ts$/ }, (args) =>
        args.path === path
          ? { contents: readFileSync(path, "utf8").replace(text, () => without), loader: "ts" }
          : undefined,
      ),
  };
}

/** Runs the properties of an invariant against a director with a change. @returns those that failed. */
async function failing(mutation: Mutation, name: string): Promise<string[]> {
  const outfile = join(folder, `${name}.cjs`);
  await build({
    stdin: {
      contents: `
        import { PROPERTIES } from "./invariants";
        (async () => {
          const failed = [];
          for (const { name, check } of PROPERTIES) {
            if (!name.startsWith("${mutation.invariant}:")) continue;
            try {
              await check({ numRuns: ${RUNS}, seed: ${mutation.seed ?? 3}, endOnFailure: true });
            } catch {
              failed.push(name);
              break;
            }
          }
          console.log(JSON.stringify(failed));
          process.exit(${NOTICED});
        })();`,
      resolveDir: __dirname,
      loader: "ts",
    },
    ...{ bundle: true, platform: "node", format: "cjs", outfile, logLevel: "silent" },
    plugins: [replacing(mutation)],
  });
  const child = spawn(process.execPath, [outfile], { stdio: ["ignore", "pipe", "pipe"] });
  let [said, complained] = ["", ""];
  child.stdout.on("data", (chunk) => (said += String(chunk)));
  child.stderr.on("data", (chunk) => (complained += String(chunk)));
  const [code] = (await once(child, "close")) as [number];
  if (code !== NOTICED) throw new Error(complained);
  return JSON.parse(said) as string[];
}

test.each(MUTATIONS.map((mutation, index) => ({ ...mutation, index })))(
  "$invariant is broken without: $guard",
  async ({ index, ...mutation }) => {
    expect(await failing(mutation, String(index))).not.toEqual([]);
  },
);
