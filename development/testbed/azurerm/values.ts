/** Values as Terraform sends them: msgpack, with an extension for what is not known before the apply. */
import { Decoder, Encoder, ExtData, ExtensionCodec } from "@msgpack/msgpack";
import type { Attribute, Block } from "./schema";

const UNKNOWN = Symbol("known after the apply");
export type Value = null | string | number | boolean | typeof UNKNOWN | Value[] | Values;
export interface Values {
  [name: string]: Value;
}
export interface DynamicValue {
  readonly msgpack?: Uint8Array;
  readonly json?: Uint8Array;
}

const codec = new ExtensionCodec();
for (const type of [0, 12]) {
  codec.register({ type, encode: () => null, decode: () => UNKNOWN });
}
const decoder = new Decoder({ extensionCodec: codec });
const encoder = new Encoder();

export function decodeValues({ msgpack }: DynamicValue): Values | null {
  return decoder.decode(msgpack!) as Values | null;
}

export function encodeValues(values: Values | null): DynamicValue {
  return { msgpack: encoder.encode(withExtensions(values)) };
}

function withExtensions(value: Value): unknown {
  if (value === UNKNOWN) return new ExtData(0, new Uint8Array([0]));
  if (Array.isArray(value)) return value.map(withExtensions);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withExtensions(each)]));
}

/** What the configuration leaves to Azure becomes unknown in a new resource; what is only written is not kept. */
export function planOf(values: Values, block: Block, isNew: boolean): Values {
  const result = { ...values };
  for (const { name, presence } of block.attributes) {
    if (isWriteOnly(name)) result[name] = null;
    else if (isNew && presence.includes("computed")) result[name] ??= UNKNOWN;
  }
  return mapNested(result, block, (each, nested) => planOf(each, nested, isNew));
}

export const isWriteOnly = (attribute: string): boolean => attribute.endsWith("_wo");

/** @param fill gives an unknown attribute its value. */
export function withoutUnknowns(values: Values, block: Block, fill: (attribute: Attribute) => Value): Values {
  const result = { ...values };
  for (const attribute of block.attributes) {
    if (result[attribute.name] === UNKNOWN) result[attribute.name] = fill(attribute);
  }
  return mapNested(result, block, (each, nested) => withoutUnknowns(each, nested, fill));
}

function mapNested(values: Values, block: Block, change: (values: Values, block: Block) => Values): Values {
  for (const { name, block: nested, nesting } of block.blocks) {
    const value = values[name];
    if (Array.isArray(value)) values[name] = value.map((each) => change(each as Values, nested));
    else if (nesting === "SINGLE" && value !== null && value !== undefined)
      values[name] = change(value as Values, nested);
  }
  return values;
}
