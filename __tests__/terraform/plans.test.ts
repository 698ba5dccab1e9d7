/** Plans that the Terraform (or OpenTofu) here makes, as the strict reader judges them for web and for base. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatBasePlan, summarize } from "../../cli/deployment/base";
import { proveLiveSlotUntouched } from "../../release/plan-proof";
import { readPlan } from "../../release/terraform-plan";

const BINARY = process.env["TERRAFORM_BINARY_NAME"] || "terraform";
const isHere = spawnSync(BINARY, ["version"]).status === 0;
if (!isHere) console.warn(`there is no ${BINARY}: no real plans are read here`);

/** As the stack of web: blue is live. */
const WEB = `
  resource "terraform_data" "install-blue-web-1" { triggers_replace = "install-blue-1.0.0-1" }
  resource "terraform_data" "install-green-web-1" {
    triggers_replace = "empty-green-1"
    lifecycle { create_before_destroy = true }
  }`;
const RELEASE = WEB.replace("empty-green-1", "install-green-1.1.0-2");
const blockOf = (kind: string, id: string, body: string): string =>
  `\n${kind} "terraform_data" "${id}" {\n${body}\n}`;

interface Case {
  readonly what: string;
  readonly before?: string;
  readonly then: string;
  readonly options?: readonly string[];
  /** Between the apply and the plan. */
  readonly meanwhile?: readonly string[];
  /** null: proved. */
  readonly web: RegExp | null;
  readonly base: RegExp;
}

const OTHER = blockOf("resource", "web-9", "input = 1");

const CASES: readonly Case[] = [
  { what: "nothing", then: WEB, web: null, base: /^base: nothing to change$/ },
  { what: "a release", then: RELEASE, web: null, base: /^replace {2}terraform_data\.install-green-web-1$/m },
  {
    what: "another resource",
    then: RELEASE + OTHER,
    web: /web-9 \(create\), which is not a release step/,
    base: /^create {3}terraform_data\.web-9$/m,
  },
  {
    what: "an update",
    before: WEB + OTHER,
    then: WEB + OTHER.replace("= 1", "= 2"),
    web: /web-9 \(update\)/,
    base: /^update {3}terraform_data\.web-9$/m,
  },
  {
    what: "removed without destroy",
    before: WEB + OTHER,
    then: `${RELEASE}\nremoved {\n from = terraform_data.web-9\n lifecycle { destroy = false }\n}`,
    web: /web-9 \(forget\)/,
    base: /^forget {3}terraform_data\.web-9$/m,
  },
  {
    what: "the live slot's step, removed without destroy",
    then: `${RELEASE.replace(/resource "terraform_data" "install-blue.*/, "")}
      removed {
        from = terraform_data.install-blue-web-1
        lifecycle { destroy = false }
      }`,
    web: /would forget terraform_data\.install-blue-web-1 \(forget\)/,
    base: /^forget {3}terraform_data\.install-blue-web-1$/m,
  },
  {
    what: "an import",
    then: `${RELEASE}${OTHER.replace("input = 1", "")}\nimport {\n to = terraform_data.web-9\n id = "x"\n}`,
    web: /web-9 \(no-op\), which is not a release step/,
    base: /^import {3}terraform_data\.web-9$/m,
  },
  {
    what: "a move",
    before: WEB + OTHER,
    then: `${RELEASE}${OTHER.replace("web-9", "web-8")}\nmoved {\n from = terraform_data.web-9\n to = terraform_data.web-8\n}`,
    web: /web-8 \(no-op\), which is not a release step/,
    base: /^move {5}terraform_data\.web-9 -> terraform_data\.web-8$/m,
  },
  {
    what: "data that is read during the apply",
    then: `${RELEASE}
      data "terraform_remote_state" "base" {
        backend = "local"
        config = { path = "\${path.module}/terraform.tfstate" }
        depends_on = [terraform_data.install-green-web-1]
      }`,
    web: null,
    base: /^read {5}data\.terraform_remote_state\.base$/m,
  },
  {
    what: "an output",
    then: `${WEB}\noutput "address" { value = "a" }`,
    web: null,
    base: /^output {3}address$/m,
  },
  {
    what: "a failed check",
    then: `${RELEASE}\ncheck "c" {\n assert {\n condition = terraform_data.install-blue-web-1.id == ""\n error_message = "no"\n }\n}`,
    web: null,
    base: /^replace {2}terraform_data\.install-green-web-1$/m,
  },
  {
    what: "variables, an ephemeral one, too",
    then: `${WEB}\nvariable "v" { default = "v" }\nvariable "e" {\n default = "e"\n ephemeral = true\n}`,
    web: null,
    base: /^base: nothing to change$/,
  },
  {
    what: "-target",
    then: RELEASE,
    options: ["-target=terraform_data.install-blue-web-1"],
    web: /is incomplete|leaves out terraform_data\.install-green-web-1/,
    base: /is incomplete|^left out terraform_data\.install-green-web-1$/m,
  },
  {
    what: "-refresh-only",
    then: RELEASE,
    options: ["-refresh-only"],
    web: /has no resources/,
    base: /^left out terraform_data\.install-blue-web-1$/m,
  },
  {
    what: "-destroy",
    then: WEB,
    options: ["-destroy"],
    web: /touch the live slot: terraform_data\.install-blue-web-1 \(delete\)/,
    base: /^destroy {2}terraform_data\.install-blue-web-1$/m,
  },
  {
    what: "-replace",
    then: WEB,
    options: ["-replace=terraform_data.install-blue-web-1"],
    web: /touch the live slot: terraform_data\.install-blue-web-1 \(delete, create\)/,
    base: /^replace {2}terraform_data\.install-blue-web-1$/m,
  },
  {
    what: "a tainted step of the live slot",
    then: WEB,
    meanwhile: ["taint", "terraform_data.install-blue-web-1"],
    web: /touch the live slot: terraform_data\.install-blue-web-1/,
    base: /^replace {2}terraform_data\.install-blue-web-1$/m,
  },
];

(isHere ? describe : describe.skip)("a real plan", () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "bluegreen-plans-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const run = (...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync(BINARY, args, { cwd: folder, encoding: "utf8" });
    expect({ args, status, stderr: status === 0 ? "" : stderr }).toEqual({ args, status: 0, stderr: "" });
    return stdout;
  };
  const write = (configuration: string): void => writeFileSync(join(folder, "main.tf"), configuration);
  const judge = (decide: () => string | null): string | null => {
    try {
      return decide();
    } catch (error) {
      const { message, exitCode } = error as { message: string; exitCode?: number };
      expect({ message, exitCode }).toEqual({ message, exitCode: 3 });
      return message;
    }
  };

  test.each(CASES)("$what", ({ before = WEB, then, options = [], meanwhile, web, base }) => {
    write(before);
    run("init", "-input=false");
    run("apply", "-auto-approve", "-input=false");
    if (meanwhile !== undefined) run(...meanwhile);
    write(then);
    run("plan", "-input=false", "-out=saved", ...options);
    const json = run("show", "-json", "saved");

    const refused = judge(() => {
      expect(proveLiveSlotUntouched(readPlan(json), "blue")).toBe(1);
      return null;
    });
    if (web === null) expect(refused).toBeNull();
    else expect(refused).toMatch(web);
    expect(judge(() => formatBasePlan(summarize(readPlan(json))))).toMatch(base);
  });

  test("that Terraform could not finish", () => {
    write(`${WEB}\nresource "terraform_data" "web-9" { input = file("missing") }`);
    run("init", "-input=false");
    const { status } = spawnSync(BINARY, ["plan", "-input=false", "-out=saved"], { cwd: folder });
    expect(status).toBe(1);
    // Since 1.8 Terraform saves what it has.
    const { stdout } = spawnSync(BINARY, ["show", "-json", "saved"], { cwd: folder, encoding: "utf8" });
    if (stdout !== "") expect(() => readPlan(stdout)).toThrow(/ended with an error|is incomplete/);
  });
});
