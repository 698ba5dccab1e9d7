/**
 * Knowledge that is written once: `fact`, the one file that has it (`home`), and a pattern that finds it. Lint fails where a
 * pattern is found in another file, and where its home does not have it any more. Scripts that run on servers can't import,
 * so a fact that they need as well names them in `also`; a test compares the two.
 */
export const FACTS = [
  {
    fact: "the addresses of a release's steps, and how they are read",
    home: "release/steps.ts",
    pattern: /\(\?(?:<\w+>|:)?begin\|/,
  },
  {
    fact: "the names of a step's executions",
    home: "release/steps.ts",
    pattern: /`(?:begin|migrate|switch|converge|heal|empty|install)-\$\{/,
  },
  {
    fact: "the exit codes",
    home: "release/exit-code.ts",
    pattern: /\b(?:badInput|BAD_INPUT|refused|REFUSED|rejected|frozen)["']?\s*[:=]\s*[2-6]\b/,
  },
  {
    fact: "what the gate refuses, in words",
    home: "release/gate.ts",
    pattern:
      /does not fit what users get:|is not what is stable,|only a release into it may|there is nothing to heal`|the first release can't be held|, but \$\{proxy\} knows record|took away from the database:/,
  },
  {
    fact: "which contract migrations a release needs to be waited for",
    home: "release/release.ts",
    pattern: /!\S*contracts\??\.includes\(script\)/,
  },
  {
    fact: "the two slots",
    home: "release/slot.ts",
    pattern: /\[\s*"blue",\s*"green"\s*\]/,
  },
  {
    fact: "the environment file that is read where none is named",
    home: "configuration/environment-file.ts",
    pattern: /"environments\/local\.json"/,
    also: ["development/bench/release-time.mjs"],
  },
  {
    fact: "what this machine's addresses are",
    home: "release/this-machine.ts",
    pattern: /localhost\|127/,
  },
  {
    fact: "the archives that an artifact comes in",
    home: "release/archive.ts",
    pattern: /\["\.zip"/,
  },
  {
    fact: "the English of Terraform's and azurerm's errors",
    home: "cli/terraform/error-messages.ts",
    also: ["development/faults/rows/operators.ts"],
    pattern:
      /acquiring the state lock"|exit status \(|Resource postcondition failed|lifecycle\\\.prevent_destroy/,
  },
  {
    fact: "how a program's result line is found in its output",
    home: "release/result-line.ts",
    pattern: /split\("\\n"\)\.reverse\(\)/,
  },
  {
    fact: "a director's journal in words",
    home: "release/journal-words.ts",
    pattern: /% of the requests go to|`\$\{[\w.]+\} is drained`/,
  },
  {
    fact: "a director's phases",
    home: "release/director-status.ts",
    pattern: /^\s*"shifting",$/,
  },
  {
    fact: "what a director's state and status hold",
    home: "release/director-status.ts",
    pattern: /\bretainedUntil\??: (?:z\.|number)/,
  },
  {
    fact: "what an application or environment may be called",
    home: "release/patterns.ts",
    pattern: /\[a-z\]\[a-z0-9-\]\{0,23\}/,
  },
  {
    fact: "how a message is made of text from outside",
    home: "release/text.ts",
    pattern: /\.replace\(\/\[\\p\{C\}/,
  },
  {
    fact: "the errors that end a program with an exit code",
    home: "release/failure.ts",
    pattern: /extends Error \{[^}]*exitCode|readonly exitCode: FailureCode,/,
  },
];
