/**
 * The pipelines of `examples/pipelines` as their systems read them: jobs, their variables, and the scripts in the order
 * and with the shell in which they run. Ready-made steps (actions, tasks) stay names.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { REPOSITORY } from "./world";

type Variables = Readonly<Record<string, string>>;

interface Step {
  /** null where it is ready-made. */
  readonly script: string | null;
  /** What is ready-made: its name. */
  readonly uses: string | null;
  /** Runs also where one before it failed. */
  readonly always: boolean;
  readonly variables: Variables;
}

export interface Job {
  readonly variables: Variables;
  readonly steps: readonly Step[];
}

export type Block = { readonly [key: string]: unknown };

export interface System {
  readonly file: string;
  readonly text: string;
  readonly yaml: Block;
  /** How scripts are started. */
  readonly shell: readonly string[];
  /** What the system itself sets. @param repository its address. */
  variables(repository: string): Variables;
  plan(): Job;
  /** @param action release, or one that is started by hand. */
  change(action: string): Job;
}

function read(file: string): Pick<System, "file" | "text" | "yaml"> {
  const text = readFileSync(join(REPOSITORY, "examples/pipelines", file), "utf8");
  return { file, text, yaml: parse(text) as Block };
}

/** @throws Error where there is no block: then the file has another shape. */
export function block(of: unknown, ...path: readonly string[]): Block {
  const found = path.reduce((value, key) => (value as Block | undefined)?.[key], of);
  if (typeof found !== "object" || found === null) throw new Error(`there is no ${path.join(".")}`);
  return found as Block;
}

/** `${{ expression }}` by what it stands for. @throws Error for one that nobody knows. */
function resolved(values: unknown, known: Variables): Variables {
  return Object.fromEntries(
    Object.entries((values ?? {}) as Block).map(([name, value]) => [
      name,
      String(value).replace(/\$\{\{ (.+?) \}\}|\$\(([\w.]+)\)/g, (_, template: string, macro: string) => {
        const found = known[template ?? macro];
        if (found === undefined) throw new Error(`nobody knows ${template ?? macro}`);
        return found;
      }),
    ]),
  );
}

const GITHUB = read("github-actions.yml");

export const github: System = {
  ...GITHUB,
  shell: ["bash", "--noprofile", "--norc", "-eo", "pipefail"],
  variables: () => ({
    CI: "true",
    GITHUB_ACTIONS: "true",
    GITHUB_SERVER_URL: "https://github.example.com",
    GITHUB_REPOSITORY: "acme/shop",
    GITHUB_RUN_ID: "4711",
    GITHUB_STEP_SUMMARY: "summary.md",
  }),
  plan: () => githubJob("plan", "release"),
  change: (action) => githubJob("release", action),
};

function githubJob(name: string, action: string): Job {
  const job = block(GITHUB.yaml, "jobs", name);
  const vars = ["ARM_TENANT_ID", "ARM_SUBSCRIPTION_ID", "ARM_CLIENT_ID", "ARM_CLIENT_ID_PLAN"];
  const known = {
    ...Object.fromEntries(vars.map((each) => [`vars.${each}`, each.toLowerCase()])),
    "inputs.action || 'release'": action,
  };
  return {
    variables: resolved({ ...block(GITHUB.yaml, "env"), ...block(job, "env") }, known),
    steps: (job["steps"] as Block[]).map((step) => ({
      script: (step["run"] as string | undefined) ?? null,
      uses: (step["uses"] as string | undefined) ?? null,
      always: step["if"] === "always()",
      variables: resolved(step["env"], known),
    })),
  };
}

const AZURE = read("azure-pipelines.yml");

export const azure: System = {
  ...AZURE,
  shell: ["bash", "--noprofile", "--norc"],
  variables: () => ({
    TF_BUILD: "True",
    BUILD_BUILDID: "4711",
    SYSTEM_COLLECTIONURI: "https://dev.azure.example.com/acme/",
    SYSTEM_TEAMPROJECT: "shop",
    SYSTEM_OIDCREQUESTURI: "https://dev.azure.example.com/oidc",
  }),
  plan: () => azureJob("plan", "release"),
  change: (action) => azureJob("release", action),
};

export function azureStage(name: string): Block {
  const stage = (AZURE.yaml["stages"] as Block[]).find((each) => each["stage"] === name);
  return (block(stage, "jobs") as unknown as Block[])[0]!;
}

function azureJob(name: string, action: string): Job {
  const job = azureStage(name);
  const known = { "parameters.action": action, "System.AccessToken": "an access token" };
  const steps = (job["steps"] ?? block(job, "strategy", "runOnce", "deploy")["steps"]) as Block[];
  return {
    variables: resolved({ ...block(AZURE.yaml, "variables"), ...block(job, "variables") }, known),
    steps: steps.map((step) => ({
      script: (step["bash"] as string | undefined) ?? null,
      uses: String(step["task"] ?? (step["checkout"] === undefined ? "publish" : "checkout")),
      always: step["condition"] === "always()",
      variables: resolved(step["env"], known),
    })),
  };
}

const GITLAB = read("gitlab-ci.yml");

export const gitlab: System = {
  ...GITLAB,
  shell: ["bash"],
  variables: (repository) => ({
    CI: "true",
    GITLAB_CI: "true",
    CI_JOB_URL: "https://gitlab.example.com/acme/shop/-/jobs/4711",
    CI_DEFAULT_BRANCH: "main",
    CI_REPOSITORY_URL: repository,
    ARM_OIDC_TOKEN: "an ID token",
  }),
  plan: () => gitlabJob("plan"),
  change: (action) => gitlabJob(action),
};

/** A job with what it extends: maps are merged, everything else is replaced. */
export function gitlabBlock(name: string): Block {
  const own = block(GITLAB.yaml, name);
  if (own["extends"] === undefined) return own;
  const parent = gitlabBlock(String(own["extends"]));
  const variables = { ...(parent["variables"] as Block), ...(own["variables"] as Block | undefined) };
  return { ...parent, ...own, variables };
}

function gitlabJob(name: string): Job {
  const job = gitlabBlock(name);
  const lines = (key: string): string[] => (job[key] ?? []) as string[];
  const step = (script: string, always: boolean): Step => ({ script, uses: null, always, variables: {} });
  const main = ["set -eo pipefail", ...lines("before_script"), ...lines("script")].join("\n");
  const after = lines("after_script");
  const own = { ...block(GITLAB.yaml, "variables"), ...block(job, "variables") };
  return {
    variables: Object.fromEntries(
      Object.entries(own).map(([key, value]) => [key, String(value).replace("$CI_JOB_NAME", name)]),
    ),
    steps: [
      { script: null, uses: "checkout", always: false, variables: {} },
      step(main, false),
      ...(after.length === 0 ? [] : [step(after.join("\n"), true)]),
    ],
  };
}
