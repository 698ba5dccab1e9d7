/** A `dotnet` on the PATH that answers with what the real one (SDK 10.0.401, dotnet-ef 10.0.15) said: it runs everywhere. */
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Folder } from "../setup/command";

const HISTORIES = join(__dirname, "../../release/migrations/ef-core");

export interface Answer {
  readonly exitCode?: number;
  readonly said: string;
}

/** By the first words of a command line, as in `ef dbcontext info`. */
export type Answers = Readonly<Record<string, Answer>>;

const PROGRAM = `#!${process.execPath}
const { appendFileSync, readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const args = process.argv.slice(2);
appendFileSync(join(__dirname, "calls"), JSON.stringify(args) + "\\n");
const answers = JSON.parse(readFileSync(join(__dirname, "answers.json"), "utf8"));
const words = args.join(" ");
const key = Object.keys(answers).filter((each) => words.startsWith(each)).sort((a, b) => b.length - a.length)[0];
const { exitCode = 0, said = "", scripts } = answers[key] ?? { exitCode: 99, said: "error:   not recorded: " + words };
if (scripts) writeFileSync(args[args.indexOf("--output") + 1], scripts[args.includes("--no-transactions") ? 0 : 1]);
process.stdout.write(said + "\\n");
process.exitCode = exitCode;
`;

const data = (value: unknown): string =>
  JSON.stringify(value, null, 2)
    .split("\n")
    .map((line) => `data:    ${line}`)
    .join("\n");

/** Where EF's tools answer, and have these migrations. */
export function answersOf(
  dialect: "postgres" | "mssql",
  ids: readonly string[],
  change: (sql: string) => string = (sql) => sql,
): Record<string, Answer & { readonly scripts?: readonly string[] }> {
  const providerName =
    dialect === "postgres"
      ? "Npgsql.EntityFrameworkCore.PostgreSQL"
      : "Microsoft.EntityFrameworkCore.SqlServer";
  const script = (name: string): string =>
    `\uFEFF${change(readFileSync(join(HISTORIES, `${name}.sql`), "utf8"))}`;
  return {
    "ef --version": { said: "Entity Framework Core .NET Command-line Tools\n10.0.15" },
    build: { said: "" },
    "ef dbcontext info": { said: data({ type: "App.Store", providerName, options: "None" }) },
    "ef migrations list": { said: data(ids.map((id) => ({ id, name: id, safeName: id, applied: null }))) },
    "ef migrations script": { said: "", scripts: [script(dialect), script(`${dialect}-transactions`)] },
  };
}

export class RecordedDotnet {
  constructor(private readonly folder: Folder) {
    folder.write("bin/dotnet", PROGRAM);
    chmodSync(folder.in("bin/dotnet"), 0o755);
    folder.write("app/App.csproj", "<Project />");
  }

  answer(answers: Answers): void {
    this.folder.write("bin/answers.json", answers);
  }

  /** The command lines that it was started with, each as a list of arguments. */
  calls(): string[][] {
    if (!existsSync(this.folder.in("bin/calls"))) return [];
    const lines = readFileSync(this.folder.in("bin/calls"), "utf8").trim().split("\n");
    return lines.map((line) => JSON.parse(line) as string[]);
  }

  get PATH(): string {
    return this.folder.in("bin");
  }
}
