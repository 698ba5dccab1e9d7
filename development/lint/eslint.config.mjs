/** The usual rules, which folder may import which (docs/CONTRIBUTING.md, "Folders"), and no index import of the provider. */
import tseslint from "typescript-eslint";

const PROVIDER = {
  name: "@cdktf/provider-azurerm",
  message:
    "import from @cdktf/provider-azurerm/lib/...: the index takes 4 times as long and 5 times the memory",
};

/** Files of the folder may not import paths that match the pattern. */
function mayNotImport(folder, patterns, message) {
  return {
    files: [`${folder}/**/*.ts`],
    rules: {
      "no-restricted-imports": ["error", { paths: [PROVIDER], patterns: [{ regex: patterns, message }] }],
    },
  };
}

/** Only for development: the product imports nothing from these folders. */
const DEVELOPERS = ["development", "__tests__"];

/** Matches imports from one of these other folders. */
const other = (...folders) => `^(\\.\\./)+(${[...folders, ...DEVELOPERS].join("|")})(/|$)`;

export default tseslint.config(
  { ignores: ["lib/", "cdktf.out/", ".bluegreen/", "node_modules/", "examples/**/*.js"] },
  ...tseslint.configs.recommended,
  {
    rules: {
      "no-restricted-imports": ["error", { paths: [PROVIDER] }],
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/consistent-type-imports": "error",
      // `interface Release extends z.infer<typeof Release> {}` gives an inferred type a name that messages and the reference show.
      "@typescript-eslint/no-empty-object-type": ["error", { allowInterfaces: "with-single-extends" }],
      eqeqeq: "error",
    },
  },
  mayNotImport(
    "release",
    `${other("configuration", "constructs", "stacks", "on-server", "cli", "examples", "system")}|^cdktf$|^constructs$|^(node:)?(fs|net|http|https|child_process|dns|os|timers)`,
    "release/ is the pure domain: no cdktf, no I/O, no clock, nothing of the other folders",
  ),
  mayNotImport(
    "configuration",
    `${other("constructs", "stacks", "on-server", "cli", "examples", "system")}|^cdktf$|^constructs$|^(node:)?(fs|net|http|https|child_process|dns|os|timers)`,
    "configuration/ reads environments and derives names from them: pure, and it imports release/ only",
  ),
  mayNotImport(
    "system",
    other("configuration", "constructs", "stacks", "on-server", "cli", "examples", "release"),
    "system/ knows the operating system only",
  ),
  mayNotImport(
    "constructs",
    other("stacks", "on-server", "cli", "examples", "system"),
    "constructs/ ships on-server programs as files; it imports configuration/ and release/ only",
  ),
  mayNotImport(
    "stacks",
    other("on-server", "cli", "examples", "system"),
    "stacks/ imports constructs/, configuration/ and release/",
  ),
  mayNotImport(
    "on-server",
    `${other("constructs", "stacks", "cli", "examples")}|^cdktf$|^constructs$`,
    "on-server/ programs import configuration/, release/ and system/ only",
  ),
  mayNotImport(
    "cli",
    `${other("constructs", "stacks", "on-server")}|^cdktf$|^constructs$`,
    "cli/ starts Terraform and the synth as processes and imports no construct",
  ),
  mayNotImport(
    "development",
    /^(\.\.\/)+(constructs|stacks|on-server|system|__tests__)(\/|$)/.source,
    "development/ uses the product as an operator does: the built command, and cli/ and release/ for their types",
  ),
  mayNotImport(
    "development/simulation",
    /^(\.\.\/)+(constructs|stacks|cli|system|__tests__)(\/|$)/.source,
    "the simulation drives the director's code; it needs nothing else of the product than the director's spec",
  ),
  mayNotImport(
    "development/testbed",
    /^(\.\.\/)+(constructs|stacks|on-server|system|__tests__|faults|soak|bench)(\/|$)/.source,
    "faults/ and soak/ import the test bed, not the other way round",
  ),
  {
    files: ["cli/**/*.ts", "on-server/**/*.ts", "release/**/*.ts", "configuration/**/*.ts"],
    rules: {
      "no-restricted-syntax": [
        "error",
        {
          selector:
            "NewExpression[callee.name=/^(Failure|Refusal)$/] > :matches(Literal[raw=/^[0-9]$/], ConditionalExpression:has(> Literal[raw=/^[0-9]$/]))",
          message: "exit codes have names: EXIT of release/exit-code",
        },
      ],
    },
  },
  { files: ["**/*.js", "**/*.mjs", "**/*.cjs"], rules: { "@typescript-eslint/no-require-imports": "off" } },
);
