/** Every block of code in the documents is what it says it is: it parses, and the product would take it. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { batches } from "../../release/migrations/sql-text";
import { commandsIn, complaintOf, ownWords, syntaxProblem, typedIn } from "./command-lines";
import { parse, readJson } from "./json-pieces";
import { at, blocksOf, readPages, REPOSITORY } from "./pages";
import type { Block } from "./pages";
import { typeProblems } from "./type-check";

/** Languages, and how a block of each is looked at. `text` is what somebody reads and no program does. */
const LANGUAGES = ["ts", "js", "json", "sh", "console", "hcl", "yaml", "sql", "text"];

const BLOCKS = readPages().flatMap(blocksOf);
const of = (...languages: string[]): Block[] => BLOCKS.filter(({ language }) => languages.includes(language));
const problemsOf = (blocks: readonly Block[], look: (block: Block) => string): string[] =>
  blocks.flatMap((block) => {
    const problem = look(block);
    return problem === "" ? [] : [`${at(block)}: ${problem}`];
  });

function complaint(look: () => unknown): string {
  try {
    look();
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

const scratch = mkdtempSync(join(tmpdir(), "bluegreen-documents-"));
afterAll(() => rmSync(scratch, { recursive: true }));

test("every block says its language, and it is one that is looked at here", () => {
  const others = BLOCKS.filter(({ language }) => !LANGUAGES.includes(language));
  expect(others.map((block) => `${at(block)}: ${block.language || "says no language"}`)).toEqual([]);
});

test("who looks at the syntax only says why", () => {
  const silent = BLOCKS.filter(({ note }) => note?.kind === "syntax only" && note.why === "");
  expect(silent.map(at)).toEqual([]);
});

test("JSON is what the schemas take: environments, records, receipts, hooks, load plans, or fields of them", () => {
  const problems = problemsOf(of("json"), ({ text, note }) =>
    complaint(() => (note?.kind === "syntax only" ? parse(text) : readJson(text))),
  );
  expect(problems).toEqual([]);
});

test.each([
  [`"topology": "sidebyside"`, `topology must be "split" or "sideBySide"`],
  [`"schedule": { "strategy": "canary", "steps": [50, 25, 100] }`, `"steps" must increase`],
  [`"no such field": 1`, "unknown field"],
  [`{ "sequence": 3, "slots": { "blue": null, "green": null } }`, "formatVersion"],
  [`{ "when": "before lunch", "command": ["true"] }`, "must be"],
  [`{ "gets": [{ "path": "no slash" }] }`, "the load cannot be run"],
  [`{ "when": "before switch", "sequence": 17 }`, "toEqual"],
])("JSON like %s would be noticed", (text, expected) => {
  expect(complaint(() => readJson(text))).toContain(expected);
});

test("TypeScript compiles against the package's sources, and a mistake would be noticed", () => {
  const mistake: Block = {
    ...{ page: "mistake.md", line: 1, language: "ts", note: null },
    text: `import { NoSuchThing, Strategy } from "cdktf-bluegreen";\nStrategy.canary({ step: [1] });\n`,
  };
  expect(typeProblems([...of("ts"), mistake])).toEqual([
    expect.stringMatching(/^mistake\.md:2: .*NoSuchThing/),
    expect.stringMatching(/^mistake\.md:3: .*'step' does not exist/),
  ]);
});

test("JavaScript parses", () => {
  const problems = problemsOf(of("js"), ({ text }) => {
    const { status, stderr } = spawnSync(process.execPath, ["--check", "-"], {
      input: text,
      encoding: "utf8",
    });
    return status === 0 ? "" : stderr;
  });
  expect(problems).toEqual([]);
});

test("YAML parses", () => {
  const problems = problemsOf(of("yaml"), ({ text }) =>
    parseAllDocuments(text)
      .flatMap(({ errors }) => errors.map(({ message }) => message))
      .join("; "),
  );
  expect(problems).toEqual([]);
});

test("SQL is batches of statements", () => {
  const problems = problemsOf(of("sql"), ({ text }) =>
    complaint(() => {
      const found = batches(text).map((batch) => batch.text.replace(/^(?:--[^\n]*\n)+/, ""));
      expect(found.length).toBeGreaterThan(0);
      for (const batch of found)
        expect(batch).toMatch(/^(ALTER|CREATE|DECLARE|DROP|EXECUTE|GRANT|INSERT|SELECT|UPDATE)\b/);
    }),
  );
  expect(problems).toEqual([]);
});

test("HCL is as terraform writes it, and what needs no provider is valid", () => {
  const pages = [...new Set(of("hcl").map(({ page }) => page))];
  const fmt = problemsOf(of("hcl"), ({ text }) => {
    const { status, stderr } = spawnSync("terraform", ["fmt", "-check", "-"], {
      input: text,
      encoding: "utf8",
    });
    return status === 0 ? "" : stderr || "terraform fmt would write it another way";
  });
  const valid = pages.flatMap((page, index) => {
    const whole = of("hcl").filter((block) => block.page === page && block.note?.kind !== "syntax only");
    if (whole.length === 0) return [];
    const folder = mkdtempSync(join(scratch, `hcl-${index}-`));
    whole.forEach(({ text }, part) => writeFileSync(join(folder, `${part}.tf`), text));
    const terraform = (...args: string[]) =>
      spawnSync("terraform", [`-chdir=${folder}`, ...args], {
        encoding: "utf8",
        env: { ...process.env, CHECKPOINT_DISABLE: "1" },
      });
    const ran = [terraform("init", "-backend=false", "-input=false"), terraform("validate", "-no-color")];
    return ran.flatMap(({ status, stderr }) => (status === 0 ? [] : [`${page}: ${stderr}`]));
  });
  expect([...fmt, ...valid]).toEqual([]);
});

describe("command lines", () => {
  const scripts = of("sh", "console").map((block) => ({
    ...block,
    text: block.language === "console" ? typedIn(block.text) : block.text,
  }));

  test("bash can read them", () => {
    expect(problemsOf(scripts, ({ text }) => syntaxProblem(text))).toEqual([]);
  });

  test("each `bluegreen ...` is one that the command takes", async () => {
    const problems: string[] = [];
    let own = 0;
    for (const script of scripts) {
      for (const command of commandsIn(script.text)) {
        const words = ownWords(command);
        if (words === null) continue;
        own += 1;
        const said = await complaintOf(words);
        if (said !== "") problems.push(`${at(script)}: bluegreen ${words.join(" ")}: ${said}`);
      }
    }
    expect(problems).toEqual([]);
    expect(own).toBeGreaterThan(30);
  });

  test.each([
    [["releese", "1.0.0"], "unknown command"],
    [["release", "1.0.0"], "required option"],
    [["status", "--wach"], "unknown option"],
    [["plan", "release", "1.0.0", "--artifact", "a.zip", "--token", "x"], "unknown option"],
    [["ban"], "missing required argument"],
    [["status", "--watch", "--interval", "2"], ""],
  ])("%j would be noticed", async (words, complaint) => {
    expect(await complaintOf(words)).toMatch(complaint === "" ? /^$/ : complaint);
  });

  test("what else they start of this package is there", () => {
    const { scripts: known } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const problems = scripts.flatMap((script) =>
      commandsIn(script.text).flatMap(([program, first = "", second = ""]) => {
        if (program === "npm" && first === "run" && known[second] === undefined)
          return [`${at(script)}: npm run ${second}`];
        if (
          program === "npx" &&
          first !== "bluegreen" &&
          !existsSync(join(REPOSITORY, "node_modules/.bin", first))
        )
          return [`${at(script)}: npx ${first}`];
        const file = program === "npx" && first === "tsx" ? second : program === "node" ? first : "";
        if (/^(examples|development)\//.test(file) && !existsSync(join(REPOSITORY, file)))
          return [`${at(script)}: there is no ${file}`];
        return [];
      }),
    );
    expect(problems).toEqual([]);
  });
});
