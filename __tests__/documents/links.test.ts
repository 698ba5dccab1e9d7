/** What the documents name is there: pages, headings, commands and options. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { optionsByCommand } from "./command-lines";
import { anchorsOf, destinationOf, linksOf, prose, readPages, REPOSITORY } from "./pages";

const PAGES = readPages();
const OPTIONS = optionsByCommand();
const ALL_OPTIONS = new Set([...OPTIONS.values()].flatMap((options) => [...options]));

/** Of programs that the prose names without calling them. */
const OPTIONS_OF_OTHERS: Readonly<Record<string, string>> = {
  "--ignore-missing-stack-dependencies": "cdktf deploy",
  "--auto-approve": "cdktf deploy",
  "--no-transactions": "dotnet ef migrations script",
  "--idempotent": "dotnet ef migrations script",
  "--only": "npm run faults",
  "--seed": "npm run soak",
};

test("every relative link leads to a file, and its anchor to a heading", () => {
  const anchors = new Map(PAGES.map((page) => [page.file, anchorsOf(page)]));
  const broken = PAGES.flatMap(linksOf).flatMap((link) => {
    const destination = destinationOf(link);
    if (destination === null) return [];
    const { file, anchor } = destination;
    const where = `${link.page}:${link.line}: ${link.target}`;
    if (!existsSync(join(REPOSITORY, file))) return [`${where}: no such file`];
    return anchor === null || anchors.get(file)?.has(anchor) === true ? [] : [`${where}: no such heading`];
  });
  expect(broken).toEqual([]);
});

test("every page is reached from the README", () => {
  const reached = new Set<string>();
  const visit = (file: string): void => {
    const page = PAGES.find((each) => each.file === file);
    if (page === undefined || reached.has(file)) return;
    reached.add(file);
    for (const link of linksOf(page)) visit(destinationOf(link)?.file ?? "");
  };
  visit("README.md");
  expect(PAGES.map(({ file }) => file).filter((file) => !reached.has(file))).toEqual([]);
});

test("the README names every command that --help names", () => {
  const readme = PAGES.find(({ file }) => file === "README.md")!.text;
  const commands = [...OPTIONS.keys()].filter((name) => /^[a-z]+$/.test(name) && name !== "help");
  expect(commands.length).toBeGreaterThan(20);
  expect(commands.filter((name) => !new RegExp(`\`(npx )?(bluegreen )?${name}[ \`]`).test(readme))).toEqual(
    [],
  );
});

test("docs/commands.md names every option of every command", () => {
  const page = PAGES.find(({ file }) => file === "docs/commands.md")!.text;
  const sections = page.split(/^#{2,3} /m).slice(1);
  const missing = [...OPTIONS].flatMap(([command, options]) => {
    if (!/^[a-z]/.test(command) || /^(help|cancel|plan help)/.test(command)) return [];
    const section = sections.find((each) => each.split("\n")[0]!.includes(`\`${command.split(" ")[0]}\``));
    if (section === undefined) return [`${command}: no section`];
    return [...options]
      .filter((option) => !["--help", "--environment", "--json"].includes(option))
      .filter((option) => !new RegExp(`${option}(?![\\w-])`).test(section + common(page)))
      .map((option) => `${command} ${option}`);
  });
  expect(missing).toEqual([]);
});

test("every option that the prose names exists, and belongs to the command that it stands with", () => {
  const wrong = PAGES.flatMap((page) =>
    prose(page).flatMap((line, index) =>
      [...line.matchAll(/`([^`]+)`/g)].flatMap(([, code]) =>
        complaintsOf(code!).map((complaint) => `${page.file}:${index + 1}: \`${code}\`: ${complaint}`),
      ),
    ),
  );
  expect(wrong).toEqual([]);
});

/** The options that several commands share stand in a section of their own. */
function common(page: string): string {
  return (
    page.split(/^## /m).find((section) => section.startsWith("Options that several commands share")) ?? ""
  );
}

function complaintsOf(code: string): string[] {
  const [, own] = /^(?:[A-Z_]+=\S+ )?(?:npx )?bluegreen (.+)$/.exec(code) ?? [];
  if (own === undefined) {
    if (!code.startsWith("--")) return [];
    const option = /^--[\w-]+/.exec(code)?.[0];
    if (option === undefined) return [];
    return ALL_OPTIONS.has(option) || option in OPTIONS_OF_OTHERS ? [] : ["no command has it"];
  }
  const words = own.split(" ");
  const name = [words.slice(0, 2).join(" "), words[0]!].find((each) => OPTIONS.has(each));
  if (name === undefined) return /^(--|\.\.\.|<)/.test(words[0]!) ? [] : [`there is no command ${words[0]}`];
  const end = words.indexOf("--");
  return words
    .slice(0, end === -1 ? undefined : end)
    .flatMap((word) => /^\[?(--[\w-]+)/.exec(word)?.[1] ?? [])
    .filter((option) => !OPTIONS.get(name)!.has(option))
    .map((option) => `${name} has no ${option}`);
}
