/**
 * A rule of Checkov or Trivy about resources that base has, and what docs/azure-rules.md claims of it. The rules are
 * written down here in our own words, after their sources: Checkov 3.3 and trivy-checks of August 2026.
 */
import { resources, target } from "../azure";
import type { Block, SynthesizedStack } from "../azure";

/** Whether a stack obeys; undefined if it has nothing that the rule is about. */
type Verdict = (base: SynthesizedStack) => boolean | undefined;

export interface PublicRule {
  readonly id: string;
  readonly holds: Verdict;
  /**
   * `passed`: in both environments of the repository. `false alarm`: the same, but the tool reports it. `not passed`: the page
   * has the reason. Else with the setting: its name on the page, and the change of `platform` that turns it on.
   */
  readonly claim:
    "passed" | "false alarm" | "not passed" | { readonly setting: string; readonly platform: object };
}

export function passed(id: string, holds: Verdict): PublicRule {
  return { id, holds, claim: "passed" };
}

export function notPassed(id: string, holds: Verdict): PublicRule {
  return { id, holds, claim: "not passed" };
}

export function withSetting(id: string, setting: string, platform: object, holds: Verdict): PublicRule {
  return { id, holds, claim: { setting, platform } };
}

/** All resources of these types, if there are any. @param types without `azurerm_`. */
export function every(types: string | readonly string[], holds: (block: Block) => boolean): Verdict {
  return (base) => {
    const blocks = [types].flat().flatMap((type) => Object.values(resources(base, type)));
    return blocks.length === 0 ? undefined : blocks.every(holds);
  };
}

/** Each resource of a type is what an argument of another resource refers to. */
export function eachHas(type: string, other: string, argument: string, holds = (_: Block) => true): Verdict {
  return (base) => {
    const names = Object.keys(resources(base, type));
    if (names.length === 0) return undefined;
    const referred = Object.values(resources(base, other)).filter(holds);
    return names.every((name) =>
      referred.some((block) => String(at(block, argument)).includes(`azurerm_${type}.${name}.`)),
    );
  };
}

/** @param path as in `blob_properties.delete_retention_policy.days`. */
export function at(block: Block, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], block);
}

export const is =
  (path: string, ...values: readonly unknown[]) =>
  (block: Block): boolean =>
    values.includes(at(block, path));

/** Absent, it has the provider's default. */
export const isOrAbsent =
  (path: string, ...values: readonly unknown[]) =>
  (block: Block): boolean =>
    at(block, path) === undefined || values.includes(at(block, path));

export interface SecurityRule extends Block {
  readonly direction: string;
  readonly access: string;
  readonly protocol: string;
}

const ANYWHERE = ["*", "0.0.0.0/0", "::/0", "internet", "any"];

/** Whether a rule's addresses include all of the internet. Trivy knows no service tags: we count `Internet`, too. */
export function isAnywhere(rule: Block, side: "source" | "destination"): boolean {
  const one = rule[`${side}_address_prefix`];
  const several = (rule[`${side}_address_prefixes`] ?? []) as readonly string[];
  return [...(one === undefined ? [] : [String(one)]), ...several].some((each) =>
    ANYWHERE.includes(each.toLowerCase()),
  );
}

/** Whether a rule's destination ports include one of these. */
export function includesPort(rule: Block, wanted: readonly number[]): boolean {
  const one = rule["destination_port_range"];
  const several = (rule["destination_port_ranges"] ?? []) as readonly string[];
  return [...(one === undefined ? [] : [String(one)]), ...several].some((range) => {
    if (range === "*") return true;
    const [first, last = first] = range.split("-").map(Number);
    return wanted.some((port) => first! <= port && port <= last!);
  });
}

/** No inbound rule lets the whole internet reach these ports. */
export function closed(...wanted: readonly number[]): Verdict {
  return every(
    "network_security_rule",
    (rule) =>
      rule["access"] !== "Allow" ||
      rule["direction"] !== "Inbound" ||
      !isAnywhere(rule, "source") ||
      !includesPort(rule, wanted),
  );
}

/** Every subnet has a security group. */
export const SUBNETS_HAVE_GROUPS: Verdict = (base) => {
  const guarded = Object.values(resources(base, "subnet_network_security_group_association")).map(
    ({ subnet_id }) => target(subnet_id),
  );
  return Object.keys(resources(base, "subnet")).every((name) => guarded.includes(name));
};
