/**
 * Shell completion. The scripts call `bluegreen __complete -- <words>`, which reads the commander program, so they never
 * become outdated. They pass the words of the command line on and never evaluate them: completion must not run anything.
 */
import { InvalidInput } from "../../release/failure";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Command, Option } from "commander";
import { DRIVERS } from "../../configuration/drivers";
import { parseEnvironment } from "../../configuration/environment-file";
import { DIALECTS } from "../../release/migrations/database-address";
import { serverPlaces } from "../../configuration/naming";
import { TOPOLOGIES } from "../../release/schedule";
import { SLOTS } from "../../release/slot";
import { DEFAULT_ENVIRONMENT } from "../project/project";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

/** Printed instead of suggestions where the shell completes file names. */
const FILES = ":files";

interface Suggestion {
  readonly value: string;
  readonly description: string;
}
type Suggestions = readonly Suggestion[] | typeof FILES;

/** The lines for a shell, each a suggestion, a tab and its description; or {@link FILES}. */
export function suggest(program: Command, words: readonly string[]): string[] {
  const { before, last, prefix } = tidy(words);
  const found = find(program, before, last);
  if (found === FILES) return [FILES];
  return found
    .filter(({ value }) => value.startsWith(last))
    .map(({ value, description }) => `${prefix}${value}\t${description.replace(/\s+/g, " ")}`);
}

export function completionScript(shell: string): string {
  const known = SHELLS.find((each) => each === shell);
  if (known !== undefined) return SCRIPTS[known];
  throw new InvalidInput(`there is no completion for "${shell.slice(0, 40)}": ${SHELLS.join(", ")}`);
}

/** bash splits `--option=value` at the "="; the other shells pass it whole and expect it whole. */
function tidy(words: readonly string[]): { before: string[]; last: string; prefix: string } {
  const whole = words.filter((word, index) => word !== "=" || !words[index - 1]?.startsWith("--"));
  const last = whole.length < words.length && words.at(-1) === "=" ? "" : (whole.at(-1) ?? "");
  const before = words.at(-1) === "=" ? whole : whole.slice(0, -1);
  const [, option, value] = /^(--[^=]+)=(.*)$/s.exec(last) ?? [];
  if (option === undefined || value === undefined) return { before, last, prefix: "" };
  return { before: [...before, option], last: value, prefix: `${option}=` };
}

function find(program: Command, before: readonly string[], last: string): Suggestions {
  let command = program;
  let positions = 0;
  let waiting: Option | undefined;
  for (const word of before) {
    if (waiting !== undefined) waiting = undefined;
    else if (word.startsWith("-")) {
      const option = command.options.find(({ long, short }) => word === long || word === short);
      if (option?.required) waiting = option;
    } else {
      const below = command.commands.find((each) => each.name() === word || each.aliases().includes(word));
      if (below === undefined) positions += 1;
      else command = below;
    }
  }
  if (waiting !== undefined) return valuesFor(placeholder(waiting), waiting.argChoices, before);
  if (last.startsWith("-")) return optionsOf(command, before);
  const commands = command.createHelp().visibleCommands(command);
  const args = command.registeredArguments;
  // For a command that also takes an argument, a word that begins no subcommand is that argument.
  const isCommand = args.length === 0 || commands.some((each) => each.name().startsWith(last));
  if (commands.length > 0 && positions === 0 && isCommand) {
    return commands.map((each) => ({ value: each.name(), description: each.description() }));
  }
  const argument = args[positions] ?? (args.at(-1)?.variadic ? args.at(-1) : undefined);
  return argument === undefined ? [] : valuesFor(argument.name(), argument.argChoices, before);
}

function optionsOf(command: Command, before: readonly string[]): Suggestion[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long, description, variadic }) =>
      long && (variadic || !before.includes(long)) ? [{ value: long, description }] : [],
    );
}

function placeholder(option: Option): string {
  if (option.long === "--environment") return "environment";
  return /[<[]([^>\].]+)/.exec(option.flags)?.[1] ?? "";
}

/** The values for a placeholder in the help, of an option or an argument. */
function valuesFor(
  name: string,
  choices: readonly string[] | undefined,
  words: readonly string[],
): Suggestions {
  if (choices !== undefined) return plain(choices);
  if (/\b(file|folder|zip|plan)\b/.test(name)) return FILES;
  const known: Readonly<Record<string, () => readonly string[]>> = {
    environment: environmentFiles,
    server: () => serversOf(words),
    strategy: () => ["blueGreen", "canary", "recreate"],
    goal: () => ["staged", "live"],
    weight: () => ["live"],
    slot: () => SLOTS,
    database: () => DIALECTS,
    driver: () => DRIVERS,
    topology: () => TOPOLOGIES,
    reaction: () => ["rollback", "freeze"],
    what: () => ["hold", "maintenancePage"],
    stack: () => ["base"],
    platform: () => ["local", "azure"],
    system: () => ["linux", "windows"],
    shell: () => SHELLS,
  };
  return plain(known[name]?.() ?? []);
}

function plain(values: readonly string[]): Suggestion[] {
  return values.map((value) => ({ value, description: "" }));
}

function environmentFiles(): string[] {
  if (!existsSync("environments")) return [];
  return readdirSync("environments")
    .filter((name) => name.endsWith(".json") && !name.endsWith(".release.json"))
    .map((name) => `environments/${name}`);
}

/** Of the environment in the command line, or of the default one. */
function serversOf(words: readonly string[]): string[] {
  const at = words.indexOf("--environment");
  const file = (at === -1 ? undefined : words[at + 1]) ?? DEFAULT_ENVIRONMENT;
  try {
    const names = serverPlaces(parseEnvironment(readFileSync(file, "utf8"), file)).map(({ name }) => name);
    return names.filter((name) => !words.includes(name));
  } catch {
    return [];
  }
}

const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# bash completion of bluegreen: eval "$(bluegreen completion bash)" in ~/.bashrc
_bluegreen() {
  local cur=\${COMP_WORDS[COMP_CWORD]} line
  local -a lines
  COMPREPLY=()
  mapfile -t lines < <("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ \${lines[0]-} == ${FILES} ]]; then
    compopt -o filenames 2>/dev/null
    [[ $cur != "=" ]] || cur=
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    return
  fi
  for line in "\${lines[@]}"; do COMPREPLY+=("\${line%%$'\\t'*}"); done
}
complete -F _bluegreen bluegreen
`,
  zsh: `#compdef bluegreen
# zsh completion of bluegreen: eval "$(bluegreen completion zsh)" in ~/.zshrc, after compinit
_bluegreen() {
  local -a lines values
  local line
  lines=("\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ \${lines[1]} == ${FILES} ]]; then
    [[ $PREFIX == --*=* ]] && compset -P '*='
    _files
    return
  fi
  for line in "\${lines[@]}"; do
    [[ -n $line ]] && values+=("\${\${line%%$'\\t'*}//:/\\\\:}\${\${line#*$'\\t'}:+:\${line#*$'\\t'}}")
  done
  _describe -V bluegreen values
}
compdef _bluegreen bluegreen
`,
  fish: `# fish completion of bluegreen: bluegreen completion fish | source, in ~/.config/fish/config.fish
function __bluegreen_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l lines ($words[1] __complete -- $words[2..-1] $current 2>/dev/null)
  if test "$lines[1]" = ${FILES}
    __fish_complete_path $current
  else
    printf '%s\\n' $lines
  end
end
complete --command bluegreen --no-files --arguments '(__bluegreen_complete)'
`,
};
