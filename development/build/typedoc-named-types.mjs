/**
 * A plugin of typedoc. What a schema infers has a name in the sources (`record: ReleaseRecord`), but the compiler knows
 * its fields only, and typedoc would write all of them wherever it is used. This keeps the name that the sources say,
 * and writes the fields where the name is declared.
 */
import { Comment, Converter, ReferenceType, ReflectionKind, UnionType } from "typedoc";
import ts from "typescript";

export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_SIGNATURE, (context, reflection, node) => {
    keepName(context, reflection, node?.type);
    (reflection.parameters ?? []).forEach((parameter, index) =>
      keepName(context, parameter, node?.parameters[index]?.type),
    );
  });
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    const { declarations = [] } = context.getSymbolFromReflection(reflection) ?? {};
    const node = declarations.find((each) => each.type !== undefined)?.type;
    if (reflection.kind === ReflectionKind.TypeAlias) writeFields(reflection, node);
    else keepName(context, reflection, node);
    // A schema's own type says the same once more.
    if (/^ZodMini/.test(reflection.type?.name)) reflection.type.typeArguments = undefined;
  });
}

function keepName(context, reflection, node) {
  const type = node === undefined ? undefined : named(context, node);
  if (type !== undefined) reflection.type = type;
}

function writeFields(reflection, node) {
  if (node === undefined || !node.getText().startsWith("z.infer<")) return;
  reflection.comment ??= new Comment();
  reflection.comment.modifierTags.add("@useDeclaredType");
}

/** @returns undefined where typedoc does well by itself. */
function named(context, node) {
  if (ts.isUnionTypeNode(node)) {
    const parts = node.types.map((each) => named(context, each));
    if (parts.every((part) => part === undefined)) return undefined;
    return new UnionType(
      node.types.map((each, index) => parts[index] ?? context.converter.convertType(context, each)),
    );
  }
  if (!ts.isTypeReferenceNode(node) || node.typeArguments !== undefined) return undefined;
  const found = context.checker.getSymbolAtLocation(node.typeName);
  const symbol = found?.flags & ts.SymbolFlags.Alias ? context.checker.getAliasedSymbol(found) : found;
  if (!symbol?.declarations?.some(ts.isTypeAliasDeclaration)) return undefined;
  const name = node.typeName.getText();
  return ReferenceType.createUnresolvedReference(name, context.createSymbolId(symbol), context.project, name);
}
