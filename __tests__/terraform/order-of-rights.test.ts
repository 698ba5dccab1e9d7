/**
 * An environment of before gets rights on single secrets and limits on outbound connections, while it serves users. Terraform
 * itself applies the graph that base synthesizes, with `terraform_data` in place of Azure's resources: the same names,
 * dependencies and lifecycles. The order is what counts.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { baseOf, resources, shipped } from "../stacks/azure";
import type { Block } from "../stacks/azure";

const hasTerraform = spawnSync("terraform", ["version"]).status === 0;
if (!hasTerraform) console.warn("there is no terraform: the order of rights is NOT tried here");

interface Part extends Block {
  readonly depends_on?: readonly string[];
  readonly lifecycle?: Block;
  readonly scope?: string;
}

/** A line of `terraform apply -json`. */
interface Event {
  readonly type: string;
  readonly hook?: { readonly action: string; readonly resource: { readonly resource_name: string } };
}

const base = baseOf(shipped("azure-socialgoal"));
const RIGHTS = Object.fromEntries(
  Object.entries(resources<Part>(base, "role_assignment")).filter(([name]) => name.startsWith("secrets_")),
);
const RULES = {
  ...resources<Part>(base, "network_security_rule"),
  ...resources<Part>(base, "subnet_network_security_group_association"),
};
/** The addresses that had the right on the whole vault. */
const READER = /^secrets_reader-(web|proxy|operations)_/;
const ALL = { ...RIGHTS, ...RULES };

/** Resources as Terraform's own, which need no provider. */
function asData(parts: Readonly<Record<string, Part>>): object {
  const known = (address: string): boolean => (address.split(".")[1] ?? "") in parts;
  const data = Object.entries(parts).map(([name, { depends_on = [], lifecycle = {}, scope = "" }]) => {
    const needed = depends_on.filter(known).map((address) => `terraform_data.${address.split(".")[1]}`);
    // Changing the scope replaces a role assignment.
    return [name, { triggers_replace: scope.replaceAll("${", ""), depends_on: needed, lifecycle }];
  });
  return { resource: { terraform_data: Object.fromEntries(data) as object } };
}

(hasTerraform ? describe : describe.skip)("while base is applied", () => {
  const folder = mkdtempSync(join(tmpdir(), "bluegreen-order-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  function terraform(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync("terraform", args, { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(stdout + stderr);
    return stdout;
  }

  /** @returns what began and ended, as in `end create web`, in that order. */
  function apply(parts: Readonly<Record<string, Part>>): string[] {
    writeFileSync(join(folder, "main.tf.json"), JSON.stringify(asData(parts)));
    const events = terraform("apply", "-json", "-auto-approve")
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Event);
    return events.flatMap(({ type, hook }) =>
      type === "apply_start" || type === "apply_complete"
        ? [`${type === "apply_start" ? "begin" : "end"} ${hook!.action} ${hook!.resource.resource_name}`]
        : [],
    );
  }

  let steps: string[];
  beforeAll(() => {
    const before = Object.fromEntries(
      Object.entries(ALL)
        .filter(([name, { direction }]) => READER.test(name) || direction === "Inbound")
        .filter(([name]) => !name.includes("nsg-bastion"))
        .map(([name, part]) => [name, READER.test(name) ? { scope: "the vault" } : part]),
    );
    terraform("init");
    apply(before);
    steps = apply(ALL);
  }, 120_000);

  const names = Object.keys(ALL);
  const at = (step: string): number => {
    const index = steps.indexOf(step);
    if (index < 0) throw new Error(`there is no "${step}": ${steps.join(", ")}`);
    return index;
  };

  test("each right on the vault goes only when all the reader's rights on secrets are there", () => {
    const readers = names.filter((name) => READER.test(name));
    expect(readers).toHaveLength(3);
    for (const reader of readers) {
      const own = names.filter((name) => name.startsWith(reader.replace(/_[0-9A-F]{8}$/, "")));
      for (const right of own) expect(at(`end create ${right}`)).toBeLessThan(at(`begin delete ${reader}`));
    }
  });

  test("nothing is denied before all is allowed that is needed", () => {
    for (const role of ["proxy", "operations", "bastion"]) {
      const denial = names.find((name) => name.startsWith(`network_nsg-${role}-deny-outbound_`))!;
      const allowed = names.filter((name) => name.startsWith(`network_nsg-${role}-to-`));
      expect(allowed.length).toBeGreaterThan(2);
      for (const rule of allowed) {
        expect(at(`end create ${rule}`)).toBeLessThan(at(`begin create ${denial}`));
      }
    }
  });

  test("Bastion's subnet gets its group with all its rules", () => {
    const association = names.find((name) => name.startsWith("network_nsg-bastion-association_"))!;
    const rules = names.filter((name) => name.startsWith("network_nsg-bastion-") && name !== association);
    expect(rules).toHaveLength(10);
    for (const rule of rules) {
      expect(at(`end create ${rule}`)).toBeLessThan(at(`begin create ${association}`));
    }
  });

  test("the rules of before stay", () => {
    const touched = steps.filter((step) => step.startsWith("begin delete"));
    expect(touched.filter((step) => !READER.test(step.split(" ")[2]!))).toEqual([]);
  });
});
