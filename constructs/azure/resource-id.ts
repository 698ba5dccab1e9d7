/** Resource ids that people write: the right kind of thing, or a word about it at synth rather than at apply. */
import { Token } from "cdktf";

/**
 * @param type as in "Microsoft.Compute/virtualMachines".
 * @throws Error where a literal id is another kind of resource's, or none. References are Terraform's to know.
 */
export function requireResourceId(prop: string, id: string, type: string): void {
  if (Token.isUnresolved(id)) return;
  const [namespace, kind, ...below] = type.split("/");
  const rest = below.map((each) => `/${each}/[^/]+`).join("");
  const pattern = `^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/${namespace}/${kind}/[^/]+${rest}$`;
  if (!new RegExp(pattern, "i").test(id)) {
    throw new Error(
      `'${prop}' (${JSON.stringify(id)}) must be the id of a resource of type ${type}: /subscriptions/.../providers/${namespace}/${kind}/<name>`,
    );
  }
}

/** @throws Error also where the id is a reference: what is in it is needed at synth. */
export function requireLiteralId(prop: string, id: string, type: string): void {
  if (Token.isUnresolved(id)) {
    throw new Error(
      `'${prop}' must be the id itself, as text: a reference is not known before Terraform runs`,
    );
  }
  requireResourceId(prop, id, type);
}
