/**
 * Facts that must be in one file only: the `fact`, its file (`home`), and patterns that find it. Lint fails if another file
 * matches a pattern, or if `home` no longer matches each of them. Scripts on servers can't import, so `also` lists the copies that they
 * need; a test compares them.
 */
export const FACTS = [
  {
    fact: "the addresses of a release's steps, and how they are read",
    home: "release/steps.ts",
    patterns: [/\(\?(?:<\w+>|:)?begin\|/],
  },
  {
    fact: "the names of a step's executions",
    home: "release/steps.ts",
    patterns: [/`(?:begin|migrate|switch|converge|heal|empty|install)-\$\{/],
  },
  {
    fact: "the exit codes",
    home: "release/exit-code.ts",
    patterns: [/\b(?:badInput|BAD_INPUT|refused|REFUSED|rejected|frozen)["']?\s*[:=]\s*[2-6]\b/],
  },
  {
    fact: "the messages of the gate",
    home: "release/gate.ts",
    patterns: [
      /does not match what users get:/,
      /is not stable, \$\{/,
      /only a release into it may/,
      /there is nothing to heal`/,
      /the first release can't be paused/,
      /removed from the database:/,
    ],
  },
  {
    fact: "which contract migrations a release must wait for",
    home: "release/release.ts",
    patterns: [/!\S*contracts\??\.includes\(script\)/],
  },
  {
    fact: "the two slots",
    home: "release/slot.ts",
    patterns: [/\[\s*"blue",\s*"green"\s*\]/],
  },
  {
    fact: "the default environment file",
    home: "configuration/environment-file.ts",
    patterns: [/"environments\/local\.json"/],
    also: ["development/bench/release-time.mjs"],
  },
  {
    fact: "the addresses of this machine",
    home: "release/this-machine.ts",
    patterns: [/localhost\|127/],
  },
  {
    fact: "the archive formats of an artifact",
    home: "release/archive.ts",
    patterns: [/\["\.zip"/],
  },
  {
    fact: "the text of Terraform's and azurerm's errors",
    home: "cli/terraform/error-messages.ts",
    also: ["development/faults/rows/operators.ts"],
    patterns: [
      /acquiring the state lock"/,
      /exit status \(/,
      /Resource postcondition failed/,
      /lifecycle\\\.prevent_destroy/,
    ],
  },
  {
    fact: "how a program's result line is found in its output",
    home: "release/result-line.ts",
    patterns: [/split\("\\n"\)\s*\.reverse\(\)/],
  },
  {
    fact: "the text of a director's journal",
    home: "release/journal-words.ts",
    patterns: [/% of (the requests|new clients|\$\{share\}) go to/, /`\$\{[\w.]+\} is drained`/],
  },
  {
    fact: "a director's phases",
    home: "release/director-status.ts",
    patterns: [/^\s*"shifting",$/m],
  },
  {
    fact: "the fields of a director's state and status",
    home: "release/director-status.ts",
    patterns: [/\bretainedUntil\??: (?:z\.|number)/],
  },
  {
    fact: "the pattern of an application's or environment's name",
    home: "release/patterns.ts",
    patterns: [/\[a-z\]\[a-z0-9-\]\{0,23\}/],
  },
  {
    fact: "how external text becomes part of a message",
    home: "release/text.ts",
    patterns: [/\.replace\(\/\[\\p\{C\}/],
  },
  {
    fact: "the errors that end a program with an exit code",
    home: "release/failure.ts",
    patterns: [/extends Error \{[^}]*exitCode: FailureCode,/],
  },
];
