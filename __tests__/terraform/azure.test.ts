/**
 * The Azure stacks as Terraform and the real provider see them: every attribute is known to the provider's schema and
 * passes its validation, and the postcondition of a step holds or fails as it should. No Azure is needed (the provider
 * is mocked), but the provider's program is: where Terraform can't get it, these tests are skipped.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { providerIsMissing } from "./provider";

const REPOSITORY = resolve(__dirname, "../..");
const ENVIRONMENTS = ["azure-linux", "azure-socialgoal"] as const;
const STACKS = ["base", "web"] as const;
const PATIENCE_MS = 180_000;
const PLUGIN_CACHE = join(tmpdir(), "bluegreen-terraform-plugins");
mkdirSync(PLUGIN_CACHE, { recursive: true });

function terraform(
  folder: string,
  ...args: string[]
): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr, error } = spawnSync("terraform", args, {
    cwd: folder,
    encoding: "utf8",
    env: {
      ...process.env,
      NO_COLOR: "1",
      TF_IN_AUTOMATION: "1",
      // Where Terraform downloads the provider, it does so once and not for each stack.
      TF_PLUGIN_CACHE_DIR: process.env["TF_PLUGIN_CACHE_DIR"] ?? PLUGIN_CACHE,
      TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE: "1",
      // The only variable that has no default; Terraform ignores it where there is none.
      TF_VAR_sql_administrator_password: "not-a-secret-Aa1!",
    },
  });
  return { status, output: `${stdout}${stderr}${error?.message ?? ""}` };
}

/** Like `describe`, where Terraform finds the provider. */
function describeWithProvider(title: string, tests: () => void): void {
  const reason = providerIsMissing();
  if (reason === undefined) return describe(title, tests);
  console.warn(`skipped, ${reason}: ${title}`);
  describe.skip(title, tests);
}

/** Synthesizes an environment as users do, and lays the test files beside what came out. @returns the stacks' folder. */
function synthesized(environment: (typeof ENVIRONMENTS)[number]): string {
  const folder = mkdtempSync(join(tmpdir(), "bluegreen-terraform-"));
  const ran = spawnSync(process.execPath, ["lib/main.js"], {
    cwd: REPOSITORY,
    encoding: "utf8",
    env: {
      ...process.env,
      BLUEGREEN_ENVIRONMENT: `environments/${environment}.json`,
      BLUEGREEN_RECORD: "__tests__/terraform/record.json",
      CDKTF_OUTDIR: folder,
    },
  });
  if (ran.status !== 0) throw new Error(`the synth failed; is lib/ built?\n${ran.stderr}`);
  for (const stack of STACKS) {
    const test = `${stack}.tftest.hcl`;
    copyFileSync(join(__dirname, test), join(folder, "stacks", stack, test));
  }
  return join(folder, "stacks");
}

describeWithProvider("the Azure stacks, as the provider sees them", () => {
  const folders = new Map<string, string>();

  function folderOf(environment: (typeof ENVIRONMENTS)[number], stack: (typeof STACKS)[number]): string {
    const stacks = folders.get(environment) ?? synthesized(environment);
    folders.set(environment, stacks);
    return initialized(join(stacks, stack));
  }

  function initialized(folder: string): string {
    const { status, output } = terraform(folder, "init", "-backend=false", "-no-color", "-input=false");
    if (status !== 0) throw new Error(output);
    return folder;
  }

  /** A stack of its own in which a piece of text is another one. */
  function planted(stack: (typeof STACKS)[number], from: string | RegExp, to: string): string {
    const folder = join(synthesized("azure-socialgoal"), stack);
    const file = join(folder, "cdk.tf.json");
    const text = readFileSync(file, "utf8");
    expect(text).toMatch(from);
    writeFileSync(file, text.replace(from, to));
    return initialized(folder);
  }

  const all = ENVIRONMENTS.flatMap((environment) => STACKS.map((stack) => [environment, stack] as const));

  test.each(all)(
    "%s: %s is valid, and does what its test asks for",
    (environment, stack) => {
      const folder = folderOf(environment, stack);
      expect(terraform(folder, "validate", "-no-color")).toMatchObject({ status: 0 });
      const { status, output } = terraform(folder, "test", "-no-color");
      expect({ status, output }).toEqual({
        status: 0,
        output: expect.stringMatching(/Success! [1-9]\d* passed, 0 failed/),
      });
      expect(output).not.toMatch(/Warning:/);
    },
    PATIENCE_MS,
  );

  test(
    "a setting that the provider does not know, or does not take, is found",
    () => {
      const unknown = planted("base", '"shared_access_key_enabled"', '"shared_access_keys_enabled"');
      expect(terraform(unknown, "validate", "-no-color")).toMatchObject({
        status: 1,
        output: expect.stringContaining("shared_access_keys_enabled"),
      });
      const refused = planted("base", '"AutomaticByPlatform"', '"AutomaticByMagic"');
      expect(terraform(refused, "validate", "-no-color")).toMatchObject({
        status: 1,
        output: expect.stringContaining("AutomaticByMagic"),
      });
    },
    PATIENCE_MS,
  );

  test(
    "a store with keys, and a step that can't fail, are found",
    () => {
      const keys = planted("base", '"shared_access_key_enabled": false', '"shared_access_key_enabled": true');
      expect(terraform(keys, "test", "-no-color")).toMatchObject({
        status: 1,
        output: expect.stringContaining("the artifact store has keys"),
      });
      const careless = planted("web", /"condition": "[^\n]*"/g, '"condition": "${self.name != null}"');
      expect(terraform(careless, "test", "-no-color")).toMatchObject({
        status: 1,
        output: expect.stringMatching(/Missing expected failure/i),
      });
    },
    PATIENCE_MS,
  );
});
