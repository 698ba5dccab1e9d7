/** TypeScript in documents: one program over all blocks, which import the package by its name. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { at, REPOSITORY } from "./pages";
import type { Block } from "./pages";

const PACKAGE = "cdktf-bluegreen";

/** @returns a line for each thing that the compiler finds wrong. */
export function typeProblems(blocks: readonly Block[]): string[] {
  const files = new Map<string, { text: string; blocks: Block[] }>();
  for (const block of blocks) {
    const before = [...files.values()].at(-1);
    if (block.note?.kind === "continues" && before?.blocks[0]?.page === block.page) {
      before.text += block.text;
      before.blocks.push(block);
    } else {
      files.set(join(REPOSITORY, `document-${files.size}.ts`), { text: block.text, blocks: [block] });
    }
  }
  const { config } = ts.readConfigFile(join(REPOSITORY, "tsconfig.json"), (file) =>
    readFileSync(file, "utf8"),
  ) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, REPOSITORY);
  const compiler: ts.CompilerOptions = {
    ...options,
    noEmit: true,
    // Examples name what a reader goes on with.
    noUnusedLocals: false,
    types: ["node"],
    typeRoots: [join(REPOSITORY, "node_modules/@types")],
    paths: sourcesByName(),
  };
  const host = ts.createCompilerHost(compiler);
  const { fileExists, readFile, getSourceFile } = host;
  host.getCurrentDirectory = () => REPOSITORY;
  host.fileExists = (file) => files.has(file) || fileExists(file);
  host.readFile = (file) => files.get(file)?.text ?? readFile(file);
  host.getSourceFile = (file, version, ...more) => {
    const own = files.get(file);
    if (own === undefined) return getSourceFile(file, version, ...more);
    return ts.createSourceFile(file, `${own.text}\nexport {};\n`, version);
  };
  const program = ts.createProgram([...files.keys()], compiler, host);
  return [...files].flatMap(
    ([
      file,
      {
        blocks: [first],
      },
    ]) => {
      const source = program.getSourceFile(file)!;
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return found.map(({ start = 0, messageText }) => {
        const line = first!.line + 1 + source.getLineAndCharacterOfPosition(start).line;
        return `${at({ ...first!, line })}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
      });
    },
  );
}

/** What the package's `exports` say, with the sources in the place of what is built of them. */
function sourcesByName(): Record<string, string[]> {
  const { exports } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8")) as {
    exports: Record<string, unknown>;
  };
  const entries = Object.entries(exports).flatMap(([name, target]) => {
    const [, built] = /"\.\/lib\/([^"]+?)(?:\.d\.ts|\.js)"/.exec(JSON.stringify(target)) ?? [];
    if (built === undefined) return [];
    const source = join(REPOSITORY, `${built}.ts`);
    return built.includes("*") || existsSync(source) ? [{ name: join(PACKAGE, name), source }] : [];
  });
  return Object.fromEntries(entries.map(({ name, source }) => [name, [source]]));
}
