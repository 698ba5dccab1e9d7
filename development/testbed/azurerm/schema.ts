/**
 * The schemas of azurerm's resources, as far as its bindings tell: names, types, required or optional, blocks. What they
 * do not tell: which optional attributes the provider computes, and which need a replacement.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { hasNamesOf5, RENAMED_IN_5 } from "../../../configuration/azure/azurerm";

const require = createRequire(__filename);
const CONSTRUCTS = join(__dirname, "../../../constructs/azure");

/** A type in Terraform's notation: `"string"`, `["list", "string"]`, `["list", ["object", {...}]]`. */
type Type = string | readonly ["list" | "set" | "map", Type] | readonly ["object", Record<string, Type>];

export interface Attribute {
  readonly name: string;
  readonly type: Type;
  readonly presence: "required" | "optional" | "computed" | "optional and computed";
}
export interface Nested {
  readonly name: string;
  readonly block: Block;
  readonly nesting: "SINGLE" | "LIST" | "SET";
  /** 0: any number. */
  readonly maxItems: 0 | 1;
}
export interface Block {
  readonly attributes: readonly Attribute[];
  readonly blocks: readonly Nested[];
}

interface BindingClass {
  readonly prototype: object;
  readonly tfResourceType?: string;
}
type Module = Record<string, BindingClass>;

const GETTERS: Readonly<Record<string, Type>> = {
  getStringAttribute: "string",
  getNumberAttribute: "number",
  getBooleanAttribute: "bool",
  getListAttribute: ["list", "string"],
  getNumberListAttribute: ["list", "number"],
  getStringMapAttribute: ["map", "string"],
};
/** Optional ones that Azure fills in, and that the stacks or their users read. */
const FILLED_IN =
  /^(id|private_ip_address|private_dns_zone_group|principal_id|tenant_id|computer_name|disk_size_gb)$/;

/** Of all resource types that the constructs use. @param version of azurerm: 5.0 renamed some arguments. */
export function resourceSchemas(version: string): ReadonlyMap<string, Block> {
  const schemas = new Map<string, Block>();
  for (const name of importedBindings()) {
    const module = require(`@cdktf/provider-azurerm/lib/${name}`) as Module;
    for (const each of Object.values(module)) {
      const type = each.tfResourceType;
      if (type === undefined) continue;
      const block = blockOf(each, module);
      schemas.set(type, hasNamesOf5(version) ? inNamesOf5(type, block) : block);
    }
  }
  return schemas;
}

function inNamesOf5(type: string, { attributes, blocks }: Block): Block {
  const renamed = RENAMED_IN_5[type] ?? {};
  const former = Object.values(renamed).flat();
  const added = Object.keys(renamed).map((name): Attribute => {
    return { name, type: name.endsWith("_enabled") ? "bool" : "string", presence: "optional" };
  });
  return { attributes: [...attributes.filter(({ name }) => !former.includes(name)), ...added], blocks };
}

function importedBindings(): ReadonlySet<string> {
  const sources = readdirSync(CONSTRUCTS, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
  const text = sources.map((file) => readFileSync(join(CONSTRUCTS, file), "utf8")).join("\n");
  return new Set([...text.matchAll(/"@cdktf\/provider-azurerm\/lib\/([\w-]+)"/g)].map(([, name]) => name!));
}

function blockOf(binding: BindingClass, module: Module): Block {
  const attributes: Attribute[] = [];
  const blocks: Nested[] = [];
  const members = Object.getOwnPropertyDescriptors(binding.prototype);
  const complex = complexMembers(binding);
  for (const [member, { get, set }] of Object.entries(members)) {
    if (get === undefined || /Input$|^(internalValue|fqn)$/.test(member)) continue;
    const nested = complex.get(member);
    const capital = member[0]!.toUpperCase() + member.slice(1);
    const isOptional = `reset${capital}` in members;
    if (nested !== undefined) {
      const block = blockOf(elementClass(nested.className, module), module);
      if (`put${capital}` in members)
        blocks.push({ name: nested.name, block, nesting: nested.nesting, maxItems: nested.maxItems });
      else attributes.push({ name: nested.name, type: ["list", objectType(block)], presence: "computed" });
      continue;
    }
    const [, isSet, getter, name] =
      /return (cdktf\.Fn\.tolist\()?this\.(get\w+)\('(\w+)'\)/.exec(get.toString()) ?? [];
    if (getter === undefined || name === undefined) continue;
    const type = GETTERS[getter]!;
    const presence =
      set === undefined
        ? "computed"
        : !isOptional
          ? "required"
          : FILLED_IN.test(name)
            ? "optional and computed"
            : "optional";
    attributes.push({ name, type: isSet === undefined ? type : ["set", "string"], presence });
  }
  return { attributes, blocks };
}

/** Members that hold objects, by their names in TypeScript. */
function complexMembers(binding: BindingClass) {
  const found = new Map<string, Pick<Nested, "name" | "nesting" | "maxItems"> & { className: string }>();
  const constructed = /this\._(\w+) = new (\w+)\(this, "(\w+)"(?:, (true|false))?\)/g;
  for (const [, member, className, name, isSet] of binding.toString().matchAll(constructed)) {
    const nesting = name === "timeouts" ? "SINGLE" : isSet === "true" ? "SET" : "LIST";
    const isOne = isSet === undefined && nesting !== "SINGLE";
    found.set(member!, { className: className!, name: name!, nesting, maxItems: isOne ? 1 : 0 });
  }
  return found;
}

function elementClass(className: string, module: Module): BindingClass {
  return module[className.replace(/List$/, "OutputReference")]!;
}

function objectType({ attributes, blocks }: Block): Type {
  const fields: [string, Type][] = [
    ...attributes.map(({ name, type }): [string, Type] => [name, type]),
    ...blocks.map(({ name, block }): [string, Type] => [name, ["list", objectType(block)]]),
  ];
  return ["object", Object.fromEntries(fields)];
}
