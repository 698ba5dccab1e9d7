/** Checks resource ids in code: a wrong type fails at synth rather than at apply. */
import { Token } from "cdktf";

/**
 * @param type as in "Microsoft.Compute/virtualMachines".
 * @throws Error if a literal id is not that of a resource of this type. References are not checked.
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

/** As {@link requireResourceId}. @throws Error also if the id is a reference: synth needs its text. */
export function requireLiteralId(prop: string, id: string, type: string): void {
  if (Token.isUnresolved(id)) {
    throw new Error(
      `'${prop}' must be the id itself, as text: a reference is not known before Terraform runs`,
    );
  }
  requireResourceId(prop, id, type);
}
