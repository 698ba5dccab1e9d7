/** Each check returns its complaints: empty for a script that may be shipped. */
import {
  ancestors,
  assigned,
  commands,
  following,
  literal,
  named,
  place,
  variables,
  walk,
  type Command,
  type Node,
  type Scope,
  type Script,
} from "./script";
import { AUTOMATIC, CMDLETS, PREFERENCES, SILENT, VOID_METHODS } from "./windows";

type Check = (script: Script) => string[];

const scopes = (script: Script): Scope[] => [script.outside, ...script.functions];
const same = (one: string, other: string) => one.toLowerCase() === other.toLowerCase();

/** 5.1 reads a file without a mark as ANSI, and a run command's script must be small enough for its request. */
export const isShippable: Check = ({ source }) => [
  ...[...source.matchAll(/[^\n -~]/g)].map(({ index }) => `no ASCII at ${index}`),
  ...(source.length < 64 * 1024 ? [] : [`${source.length} bytes`]),
  ...source.split("\n").flatMap((line, row) => (line.length > 120 ? [`line ${row + 1} is long`] : [])),
];

/** No text of a parameter becomes part of a command, a path expression or a message by interpolation: -f does that. */
export const interpolatesNothing: Check = ({ nodes }) =>
  nodes
    .filter(({ type }) => /^expandable_(here_)?string_literal$/.test(type))
    .filter((node) => node.text.includes("$"))
    .map(place);

/** XPath is a constant; a document is changed by its methods. */
export const editsXmlByMethods: Check = ({ nodes }) => [
  ...nodes
    .filter(({ type, text }) => type === "member_name" && /^(SelectNodes|SelectSingleNode)$/.test(text))
    .filter((node) => !/^\('[^']*'\)$/.test(following(node)?.text ?? ""))
    .map(place),
  ...nodes
    .filter(
      ({ type, text }) => type === "member_name" && /^(InnerXml|OuterXml|InnerText|LoadXml)$/.test(text),
    )
    .map(place),
];

/** A misspelt variable, and one of another function: under strict mode both end the script, at run time only. */
export const readsOnlyWhatIsAssigned: Check = (script) => {
  const ofScript = new Set<string>(script.outside.parameters);
  for (const scope of scopes(script))
    for (const { name, script: prefixed, assigned } of variables(scope.nodes))
      if (assigned && (prefixed || scope === script.outside)) ofScript.add(name);
  return scopes(script).flatMap((scope) => {
    const all = variables(scope.nodes);
    const own = all.filter(({ assigned, script: prefixed }) => assigned && !prefixed).map(({ name }) => name);
    const known = new Set([...ofScript, ...own, ...scope.parameters]);
    return all
      .filter(({ name }) => !known.has(name) && !AUTOMATIC.has(name.toLowerCase()))
      .map(({ node }) => `${place(node)} is assigned nowhere (function ${scope.name})`);
  });
};

/** Scopes are dynamic and names without case: a local $identity is what a called function reads as $Identity. */
export const shadowsNothing: Check = (script) => {
  const ofScript = variables(script.nodes)
    .filter(({ script: prefixed, assigned }) => prefixed && assigned)
    .concat(variables(script.outside.nodes).filter(({ assigned }) => assigned))
    .map(({ name }) => name);
  return [
    ...variables(script.nodes)
      .filter(({ name, assigned }) => assigned && AUTOMATIC.has(name.toLowerCase()))
      .map(({ node }) => `${place(node)} is PowerShell's`),
    ...script.functions.flatMap(({ name: where, nodes }) =>
      variables(nodes)
        .filter(({ assigned, script: prefixed }) => assigned && !prefixed)
        .filter(({ name }) => ofScript.some((other) => same(name, other)))
        .map(({ node }) => `${place(node)} hides the script's variable in ${where}`),
    ),
  ];
};

/** An assignment in a function to a variable of the script needs `$script:`; one outside does not have it. */
export const assignsOnlyWhatIsRead: Check = (script) => {
  const read = variables(script.nodes).filter(({ assigned }) => !assigned);
  return variables(script.nodes)
    .filter(({ assigned, name }) => assigned && !PREFERENCES.has(name))
    .filter(({ name }) => !read.some((other) => other.name === name))
    .map(({ node }) => `${place(node)} is read nowhere`);
};

function functionNamed(script: Script, name: string): Scope | undefined {
  return script.functions.find((one) => one.name === name);
}

export const callsWhatItDefines: Check = (script) => {
  const names = script.functions.map(({ name }) => name);
  const called = commands(script.nodes).map(({ name }) => name);
  return [
    ...names.filter((name) => !called.includes(name)).map((name) => `${name} is never called`),
    ...names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} is defined twice`),
    ...names.filter((name) => CMDLETS[name] !== undefined).map((name) => `${name} hides a cmdlet`),
  ];
};

/** What Get-Element and Get-Section leave out is an empty text. */
const OPTIONAL: Readonly<Record<string, number>> = { "Get-Element": 2 };

/** `F $a, $b` is one argument in PowerShell, an array. */
export const callsWithAllArguments: Check = (script) =>
  commands(script.nodes).flatMap(({ name, node, values, switches }) => {
    const parameters = functionNamed(script, name)?.parameters;
    if (parameters === undefined) return [];
    const missing = parameters.length - values.length;
    const may = missing === 0 || missing === (OPTIONAL[name] ?? 0);
    return may && switches.length === 0
      ? []
      : [`${place(node)}: ${values.length} arguments for ${parameters.length}`];
  });

/** A value that nobody takes becomes part of what the function returns. */
export const returnsNothingByAccident: Check = (script) => {
  const returning = script.functions
    .filter(({ nodes }) =>
      nodes.some(({ type, text }) => type === "flow_control_statement" && /^return\s+\S/.test(text)),
    )
    .map(({ name }) => name);
  const silent = ({ name, node }: Command) =>
    node.text.startsWith("Invoke-Patiently {") ||
    (functionNamed(script, name) === undefined ? SILENT.has(name) : !returning.includes(name));
  return script.functions.flatMap(({ nodes }) =>
    nodes
      .filter(({ type, parent }) => type === "pipeline" && parent?.type === "statement_list")
      .filter((node) => !isTaken(node))
      .filter((node) => {
        const chain = commands(walk(node)).filter((command) => core(node) === core(command.node.parent!));
        if (chain.length > 0) return !silent(chain.at(-1)!);
        const expression = core(node);
        if (/^(\[void\] |\$\w+(\+\+|--)$)/.test(node.text) || expression.type === "assignment_expression")
          return false;
        const method = named(expression).find(({ type }) => type === "member_name")?.text ?? "";
        return expression.type !== "invokation_expression" || !returnsNothing(method, expression.text);
      })
      .map(place),
  );
};

const returnsNothing = (method: string, text: string) =>
  VOID_METHODS.has(method) || (method === "Add" && text.startsWith("$request.Headers."));

/** Is the value of this statement assigned, or used as an expression? */
function isTaken(statement: Node): boolean {
  const types = [
    "assignment_expression",
    "script_block_expression",
    "parenthesized_expression",
    "array_expression",
  ];
  const taker = ancestors(statement).find(({ type }) => types.includes(type));
  const command = taker === undefined ? undefined : ancestors(taker).find(({ type }) => type === "command");
  // What this function is given, it returns.
  if (command?.text.startsWith("Invoke-Patiently {") !== true) return taker !== undefined;
  return isTaken(ancestors(command).find(({ type }) => type === "pipeline")!);
}

/** The node below which it branches. */
function core(node: Node): Node {
  const [only, ...others] = named(node);
  return only === undefined || others.length > 0 || STOPS.has(node.type) ? node : core(only);
}
const STOPS = new Set([
  "assignment_expression",
  "invokation_expression",
  "command",
  "expression_with_unary_operator",
]);

/** `exit` in a function would skip what is undone; and Write-Output there would be a return value. */
export const endsInOnePlace: Check = (script) =>
  script.functions.flatMap(({ nodes }) => [
    ...nodes
      .filter(({ type, text }) => type === "flow_control_statement" && text.startsWith("exit"))
      .map(place),
    ...commands(nodes)
      .filter(({ name }) => name === "Write-Output")
      .map(({ node }) => place(node)),
  ]);

export const usesExitCodes =
  (codes: readonly number[]): Check =>
  (script) => [
    ...commands(script.nodes)
      .filter(({ name }) => name === "Stop-Step")
      .filter(({ values }) => !codes.includes(Number(values[0]?.text)))
      .map(({ node }) => place(node)),
    ...script.nodes
      .filter(({ type, text }) => type === "flow_control_statement" && text.startsWith("exit"))
      .filter(({ text }) => !["exit 0", "exit $ExitCode", "exit (Get-ExitCode $_)"].includes(text))
      .map(place),
  ];

/** The message of a failure has what failed and what to do, and no value that is secret. */
export const tellsNoSecret: Check = (script) =>
  script.functions.flatMap(({ name, nodes }) => {
    if (!["Get-Token", "Get-Secret", "Get-JsonText"].includes(name)) {
      const secret = nodes
        .filter(({ type }) => type === "assignment_expression")
        .filter((node) => /\bGet-(Token|Secret|JsonText)\b/.test(node.text))
        .map((node) => assigned(node).toLowerCase());
      return said(nodes)
        .filter((node) => mentions(node.text, secret))
        .map(place);
    }
    return said(nodes)
      .filter((node) => mentions(node.text, ["$answer", "$headers", "$value", "$json"]))
      .map(place);
  });

function said(nodes: Scope["nodes"]) {
  return nodes.filter(
    ({ type, text }) =>
      (type === "command" && /^(Stop-Step|Write-Output|Deny-Value|Confirm-Text)\b/.test(text)) ||
      (type === "assignment_expression" && /^\$script:(Reason|Phase|FailureText)\b/.test(text)),
  );
}

function mentions(text: string, names: readonly string[]): boolean {
  return names.some((name) => new RegExp(`\\${name}\\b`, "i").test(text));
}

/** The storage token is only asked for where the address is ARTIFACT_HOST's, and nothing follows a redirect by itself. */
export const keepsTokensHome: Check = (script) => [
  ...commands(script.nodes)
    .filter(({ name, values }) => name === "Get-Token" && literal(values[0])?.includes("storage") === true)
    .filter(({ node }) => {
      const condition = ancestors(node).find(({ type }) => type === "if_statement")?.text ?? "";
      return !/^if \(\$ArtifactHost -ne '' -and \$address\.Authority -eq \(.*\$ArtifactHost.*\)\.Authority\)/.test(
        condition,
      );
    })
    .map(({ node }) => place(node)),
  ...(script.source.match(/\[Net\.WebRequest\]/g) ?? []).flatMap(() =>
    /\$request\.AllowAutoRedirect = \$false\n/.test(script.source) ? [] : ["redirects are followed"],
  ),
  ...(/AllowAutoRedirect = \$true/.test(script.source) ? ["redirects are followed"] : []),
];

/** Whoever makes something with a handle also gives it back, in a finally. */
export const givesBackWhatItTakes: Check = (script) =>
  script.functions.flatMap(({ nodes }) =>
    nodes
      .filter(({ type }) => type === "assignment_expression")
      .filter(({ text }) =>
        /^\$\w+ = (\[(Microsoft\.Web|IO\.File\w*|IO\.Stream\w*|IO\.Compression|Security\.C)[\w.]*\]::(new|Open\w*|Create)\((?!.*ComputeHash)|Send-Request)/.test(
          text,
        ),
      )
      .filter((node) => {
        const given = nodes.filter(
          ({ type, text }) => type === "finally_clause" && text.includes(`${assigned(node)}.Dispose()`),
        );
        return given.length === 0;
      })
      .map(place),
  );

export const beginsStrictly: Check = ({ source }) =>
  [
    "\nparam([string] $StepName, [string] $Parameters)\n",
    "\nSet-StrictMode -Version 2.0\n",
    "\n$ErrorActionPreference = 'Stop'\n",
    "\n$ProgressPreference = 'SilentlyContinue'\n",
    "Write-Output ('bluegreen: {0} ended with 0' -f $StepName)\nexit 0\n",
  ].filter((text) => !source.includes(text));
