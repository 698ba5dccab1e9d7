/**
 * The steps of a release: the names of their executions, their construct ids (and so their Terraform addresses), and the
 * inverse of both. Only this file parses a step's name or address.
 */
import { STEP_KINDS } from "./hooks";
import type { StepKind, When } from "./hooks";
import { releaseId } from "./release";
import { isHealed, recordDigest } from "./record";
import type { ReleaseRecord } from "./record";
import { SLOTS } from "./slot";
import type { Slot } from "./slot";

/**
 * Names of the steps' executions. A name is never used twice on a server, so each contains what triggers its run. Begin,
 * migrate and switch contain the record's digest too: an edit that forgets the sequence runs begin, which refuses it.
 */
export const stepName = {
  check: (record: ReleaseRecord): string => `check-${edition(record)}`,
  begin: (record: ReleaseRecord): string => `begin-${edition(record)}`,
  migrate: (record: ReleaseRecord): string => `migrate-${edition(record)}`,
  /** A healed server has a separate name; the names of other servers do not change, so nothing runs there. */
  install: (record: ReleaseRecord, slot: Slot, server: string): string => {
    const entry = record.slots[slot];
    if (isHealed(record, slot, server)) return `heal-${slot}-${record.heals![server]}`;
    return entry === null ? `empty-${slot}-${record.sequence}` : `install-${slot}-${releaseId(entry)}`;
  },
  switch: (record: ReleaseRecord): string => `switch-${edition(record)}`,
  converge: (record: ReleaseRecord, slot: Slot): string => `converge-${slot}-${record.sequence}`,
  share: (record: ReleaseRecord): string => `share-${record.sequence}`,
  hook: (record: ReleaseRecord, when: When, position: number): string =>
    `${stepId.hook(when, position)}-${edition(record)}`,
};

/** Construct ids of the steps, and so the Terraform addresses. Public: a change is a breaking change. */
export const stepId = {
  check: (server: string): string => `check-${server}`,
  begin: (proxy: string): string => `begin-${proxy}`,
  migrate: (server: string): string => `migrate-${server}`,
  install: (slot: Slot, server: string): string => `install-${slot}-${server}`,
  switch: (proxy: string): string => `switch-${proxy}`,
  converge: (slot: Slot, server: string): string => `converge-${slot}-${server}`,
  share: (proxy: string): string => `share-${proxy}`,
  /** By position, not by name: each hook depends on the one before, so swapping two names would be a cycle in Terraform. */
  hook: (when: When, position: number): string => `hook-${when.replace(" ", "-")}-${position}`,
};

/** A step of a release, parsed from its Terraform address. `id` is the construct id, as `stepId` writes it. */
export type Step = { readonly id: string } & (
  | { readonly kind: "begin" | "switch" | "share"; readonly proxy: string }
  | { readonly kind: "check" | "migrate"; readonly server: string }
  | { readonly kind: "install" | "converge"; readonly slot: Slot; readonly server: string }
  | { readonly kind: "hook"; readonly when: When; readonly around: StepKind; readonly position: number }
);

/**
 * A module prefix, the resource type, the constructs around the step (cdktf joins their ids with "_"), the step's id,
 * cdktf's hash of the path, and the index of a `count`. No server or proxy name has a "_", so this is unambiguous.
 */
const STEP_ADDRESS = new RegExp(
  String.raw`^(?:module\.[\w-]+\.)*(?<type>terraform_data|azurerm_virtual_machine_run_command)\.` +
    String.raw`(?<path>(?:[\w-]+_)?(?<id>(?<proxyStep>begin|switch|share)-(?<proxy>[a-z0-9-]+)|(?<machineStep>check|migrate)-(?<machine>[a-z0-9-]+)|` +
    String.raw`(?<slotStep>install|converge)-(?<slot>${SLOTS.join("|")})-(?<server>[a-z0-9-]+)|` +
    String.raw`hook-(?<side>before|after)-(?<phase>${STEP_KINDS.join("|")})-(?<position>[1-9]\d*)))` +
    String.raw`(?:_[0-9A-F]{8})?(?:\[0\])?$`,
);
/** cdktf truncates the ids before its hash at this length: `web-10` may have become `web-1`. */
const CUT_LENGTH = 240;

/**
 * The inverse of `stepId`: the step at a Terraform address, in any construct or module.
 * @returns null for anything but a step of a release: another resource type, a hook that would run on a server, or an id
 * that cdktf may have truncated.
 */
export function parseStep(address: string): Step | null {
  const groups = STEP_ADDRESS.exec(address)?.groups;
  if (groups === undefined || groups["path"]!.length >= CUT_LENGTH) return null;
  const { type, id, proxyStep, proxy, machineStep, machine, slotStep, slot, server, side, phase, position } =
    groups as Record<string, string | undefined> & { readonly id: string };
  if (proxy !== undefined) return { id, kind: proxyStep as "begin" | "switch" | "share", proxy };
  if (machine !== undefined) return { id, kind: machineStep as "check" | "migrate", server: machine };
  if (server !== undefined) {
    return { id, kind: slotStep as "install" | "converge", slot: slot as Slot, server };
  }
  // Hooks run where Terraform runs.
  if (type !== "terraform_data") return null;
  return {
    id,
    kind: "hook",
    when: `${side} ${phase}` as When,
    around: phase as StepKind,
    position: Number(position),
  };
}

/** The displayed form of an address: a step's id, or the address without the parts that Terraform and cdktf add to every one. */
export function shortAddress(address: string): string {
  return parseStep(address)?.id ?? address.replace(/^terraform_data\./, "").replace(/_[0-9A-F]{8}$/, "");
}

/** The record that a begin, migrate or switch step runs for, parsed from its name. */
export interface Edition {
  readonly kind: "begin" | "migrate" | "switch";
  readonly sequence: number;
  /** The first eight digits of the record's digest. */
  readonly digest: string;
}

/** The inverse of `stepName.begin`, `migrate` and `switch`. @returns null for other names. */
export function parseEdition(name: string): Edition | null {
  const [, kind, sequence, digest] = /^(begin|migrate|switch)-(\d{1,16})-([0-9a-f]{8})$/.exec(name) ?? [];
  if (kind === undefined || digest === undefined) return null;
  return { kind: kind as Edition["kind"], sequence: Number(sequence), digest };
}

/** A slot's step, parsed from its name. */
export interface SlotStepName {
  readonly kind: "install" | "heal" | "empty" | "converge";
  readonly slot: Slot;
  /** For an install: the sequence that first placed its release. */
  readonly sequence: number;
  /** For an install only. */
  readonly releaseId: string | null;
}

const SLOT_STEP_NAME = new RegExp(
  String.raw`^(install|heal|empty|converge)-(${SLOTS.join("|")})-((?:.+-)?(\d{1,16}))$`,
);

/** The inverse of `stepName.install` and `stepName.converge`. @returns null for other names. */
export function parseSlotStepName(name: string): SlotStepName | null {
  const [, kind, slot, edition, sequence] = SLOT_STEP_NAME.exec(name) ?? [];
  const isInstall = kind === "install";
  if (kind === undefined || edition === undefined || isInstall === (edition === sequence)) return null;
  return {
    kind: kind as SlotStepName["kind"],
    slot: slot as Slot,
    sequence: Number(sequence),
    releaseId: isInstall ? edition : null,
  };
}

function edition(record: ReleaseRecord): string {
  return `${record.sequence}-${recordDigest(record).slice(0, 8)}`;
}
