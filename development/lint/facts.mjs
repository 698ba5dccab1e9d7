/**
 * Facts that must be in one file only: the `fact`, its file (`home`), and a pattern that finds it. Lint fails if another file
 * matches the pattern, or if `home` no longer does. Scripts on servers can't import, so `also` lists the copies that they
 * need; a test compares them.
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
    fact: "the messages of the gate",
    home: "release/gate.ts",
    pattern:
      /does not fit what users get:|is not what is stable,|only a release into it may|there is nothing to heal`|the first release can't be held|, but \$\{proxy\} knows record|took away from the database:/,
  },
  {
    fact: "which contract migrations a release must wait for",
    home: "release/release.ts",
    pattern: /!\S*contracts\??\.includes\(script\)/,
  },
  {
    fact: "the two slots",
    home: "release/slot.ts",
    pattern: /\[\s*"blue",\s*"green"\s*\]/,
  },
  {
    fact: "the default environment file",
    home: "configuration/environment-file.ts",
    pattern: /"environments\/local\.json"/,
    also: ["development/bench/release-time.mjs"],
  },
  {
    fact: "the addresses of this machine",
    home: "release/this-machine.ts",
    pattern: /localhost\|127/,
  },
  {
    fact: "the archive formats of an artifact",
    home: "release/archive.ts",
    pattern: /\["\.zip"/,
  },
  {
    fact: "the text of Terraform's and azurerm's errors",
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
    fact: "the text of a director's journal",
    home: "release/journal-words.ts",
    pattern: /% of the requests go to|`\$\{[\w.]+\} is drained`/,
  },
  {
    fact: "a director's phases",
    home: "release/director-status.ts",
    pattern: /^\s*"shifting",$/,
  },
  {
    fact: "the fields of a director's state and status",
    home: "release/director-status.ts",
    pattern: /\bretainedUntil\??: (?:z\.|number)/,
  },
  {
    fact: "the pattern of an application's or environment's name",
    home: "release/patterns.ts",
    pattern: /\[a-z\]\[a-z0-9-\]\{0,23\}/,
  },
  {
    fact: "how external text becomes part of a message",
    home: "release/text.ts",
    pattern: /\.replace\(\/\[\\p\{C\}/,
  },
  {
    fact: "the errors that end a program with an exit code",
    home: "release/failure.ts",
    pattern: /extends Error \{[^}]*exitCode|readonly exitCode: FailureCode,/,
  },
];
