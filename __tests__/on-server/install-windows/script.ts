/** A PowerShell script as its grammar sees it, for what no run shows: paths that are not taken, and what is never done. */
import * as fs from "node:fs";
import * as path from "node:path";
import * as vm from "node:vm";
import type { Language, Parser, TreeCursor } from "@vscode/tree-sitter-wasm";

const ON_SERVER = path.resolve(__dirname, "../../../lib/on-server");
export const SOURCES = {
  "install-release.ps1": fs.readFileSync(path.join(ON_SERVER, "install/install-release.ps1"), "latin1"),
  "setup-iis.ps1": fs.readFileSync(path.join(ON_SERVER, "azure/setup-iis.ps1"), "latin1"),
};

let parser: Parser;

/** The runtime loads modules of Node by dynamic import, which jest's sandbox does not do: so it gets them by require. */
export async function loadGrammar(): Promise<void> {
  const filename = require.resolve("@vscode/tree-sitter-wasm");
  const main = vm.compileFunction(
    fs.readFileSync(filename, "utf8").replaceAll("await import(", "load("),
    ["module", "exports", "require", "load", "__filename", "__dirname"],
    { filename },
  );
  const module = { exports: {} };
  main(module, module.exports, require, require, filename, path.dirname(filename));
  const treeSitter = module.exports as { Parser: typeof Parser; Language: typeof Language };
  await treeSitter.Parser.init();
  parser = new treeSitter.Parser();
  const grammar = path.join(path.dirname(filename), "tree-sitter-powershell.wasm");
  parser.setLanguage(await treeSitter.Language.load(grammar));
}

/** A node of the tree as a plain object: the parser's own ask WebAssembly for everything, every time. */
export interface Node {
  readonly type: string;
  readonly text: string;
  readonly named: boolean;
  readonly broken: boolean;
  readonly start: number;
  readonly end: number;
  readonly row: number;
  readonly parent: Node | undefined;
  readonly children: readonly Node[];
}

function plain(cursor: TreeCursor, source: string, parent?: Node): Node {
  const { nodeType, nodeIsNamed, nodeIsMissing, startIndex, endIndex, startPosition } = cursor;
  const children: Node[] = [];
  const node: Node = {
    type: nodeType,
    text: source.slice(startIndex, endIndex),
    named: nodeIsNamed,
    broken: nodeIsMissing || nodeType === "ERROR",
    start: startIndex,
    end: endIndex,
    row: startPosition.row,
    parent,
    children,
  };
  if (cursor.gotoFirstChild()) {
    do children.push(plain(cursor, source, node));
    while (cursor.gotoNextSibling());
    cursor.gotoParent();
  }
  return node;
}

/** A function of the script, or (with the name "") what stands outside of all functions. */
export interface Scope {
  readonly name: string;
  readonly parameters: readonly string[];
  readonly nodes: readonly Node[];
}

export interface Script {
  readonly source: string;
  readonly nodes: readonly Node[];
  readonly outside: Scope;
  readonly functions: readonly Scope[];
}

export function parse(source: string): Script {
  const root = plain(parser.parse(source)!.walk(), source);
  const nodes = walk(root);
  const functions = nodes.filter(({ type }) => type === "function_statement");
  const inside = new Set(functions.flatMap(walk));
  return {
    source,
    nodes,
    outside: {
      name: "",
      parameters: parametersOf(child(root, "param_block")),
      nodes: nodes.filter((node) => !inside.has(node)),
    },
    functions: functions.map((node) => ({
      name: child(node, "function_name")!.text,
      parameters: parametersOf(child(node, "function_parameter_declaration")),
      nodes: walk(node),
    })),
  };
}

export function walk(node: Node): Node[] {
  return [node, ...node.children.flatMap(walk)];
}

export function child(node: Node, type: string): Node | undefined {
  return node.children.find((next) => next.type === type);
}

export function named(node: Node): readonly Node[] {
  return node.children.filter((next) => next.named);
}

export function following(node: Node): Node | undefined {
  const siblings = node.parent === undefined ? [] : named(node.parent);
  return siblings[siblings.indexOf(node) + 1];
}

export function ancestors(node: Node): Node[] {
  return node.parent === undefined ? [] : [node.parent, ...ancestors(node.parent)];
}

/** The names, without "$", of the parameters in a declaration. */
function parametersOf(declaration: Node | undefined): string[] {
  if (declaration === undefined) return [];
  const parameters = walk(declaration).filter(({ type }) => type === "script_parameter");
  return parameters.map((node) => child(node, "variable")!.text.slice(1));
}

/** `Name -Switch (value) 'other'`: a cmdlet, a function of ours, or a program. */
export interface Command {
  readonly node: Node;
  readonly name: string;
  readonly switches: readonly string[];
  readonly values: readonly Node[];
}

export function commands(nodes: readonly Node[]): Command[] {
  return nodes
    .filter(({ type }) => type === "command")
    .map((node) => {
      const elements = child(node, "command_elements")?.children ?? [];
      const parts = elements.filter((part) => part.named && part.type !== "command_argument_sep");
      return {
        node,
        name:
          (child(node, "command_name") ?? child(node, "command_name_expr"))?.text ??
          /^[\w-]*/.exec(node.text)![0],
        switches: parts.filter(({ type }) => type === "command_parameter").map(({ text }) => text.slice(1)),
        values: parts.filter(({ type }) => type !== "command_parameter"),
      };
    });
}

/** The text between the quotes of a '...' literal; undefined for everything else. */
export function literal(node: Node | undefined): string | undefined {
  return node === undefined ? undefined : /^'((?:[^']|'')*)'$/.exec(node.text)?.[1]?.replaceAll("''", "'");
}

/** The text on the left of an assignment. */
export function assigned(node: Node): string {
  return node.children[0]!.text;
}

export interface Variable {
  readonly node: Node;
  /** Without "$" and "script:". */
  readonly name: string;
  readonly script: boolean;
  readonly assigned: boolean;
}

export function variables(nodes: readonly Node[]): Variable[] {
  return nodes
    .filter(({ type }) => type === "variable")
    .map((node) => {
      const [, prefix, name] = /^[$@]\{?(?:(\w+):)?(\w+|\$|\?|\^)\}?$/.exec(node.text) ?? ["", "", node.text];
      return {
        node,
        name: (prefix === undefined || prefix === "script" ? "" : `${prefix}:`) + name,
        script: prefix === "script",
        assigned: isAssigned(node),
      };
    });
}

function isAssigned(node: Node): boolean {
  if (node.parent?.type === "foreach_statement" || node.parent?.type === "script_parameter") return true;
  const left = ancestors(node).find(({ type }) => type === "left_assignment_expression");
  return left !== undefined && left.text === node.text && following(left)?.text === "=";
}

export function place(node: Node): string {
  return `line ${node.row + 1}: ${node.text.split("\n")[0]!.slice(0, 80)}`;
}
