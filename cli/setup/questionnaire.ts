/** Finds the answers of `bluegreen init`: from the options, then from questions at the terminal, then from defaults. */
import { Failure, InvalidInput } from "../../release/failure";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join, resolve } from "node:path";
import { DRIVERS } from "../../configuration/drivers";
import type { DriverName } from "../../configuration/drivers";
import { parseEnvironment } from "../../configuration/environment-file";
import { EXIT } from "../../release/exit-code";
import { DIALECTS, SERVER_VARIABLE } from "../../release/migrations/database-address";
import type { Dialect } from "../../release/migrations/sql-text";
import { isLocal } from "../../configuration/platform";
import { TOPOLOGIES } from "../../release/schedule";
import { findProgram } from "../../system/executable";
import { findPrograms } from "../../system/postgres-programs";
import { packagedPostgres } from "../packaged-postgres";
import { takenPorts } from "../project/ports";
import { ask, DRAWN } from "../terminal/questions";
import {
  applicationFrom,
  AZURE_OPTIONS,
  environmentOf,
  environmentText,
  parseStart,
  problemWith,
} from "./answers";
import type { Answers } from "./answers";

export interface InitOptions {
  readonly name?: string;
  readonly platform?: string;
  readonly application?: string;
  readonly topology?: string;
  readonly servers?: string;
  readonly driver?: string;
  readonly database?: string;
  readonly start?: string;
  readonly healthPath?: string;
  readonly page?: string;
  readonly port?: string;
  readonly example?: boolean;
  readonly subscription?: string;
  readonly tenant?: string;
  readonly location?: string;
  readonly sshKey?: string;
  readonly os?: string;
}

export interface Questioned {
  readonly answers: Answers;
  readonly example: boolean;
  readonly notes: readonly string[];
}

const NO_PAGE = "none";
const FIRST_PORT = 18_080;
const PORTS_APART = 400;
const LAST_PORT = 40_000;

/** @param asking whether to ask questions at the terminal. @throws InvalidInput naming the option. */
export async function findAnswers(
  folder: string,
  options: InitOptions,
  asking: boolean,
): Promise<Questioned> {
  const notes: string[] = [];
  let { example } = options;
  if (asking && example === undefined && (options.platform ?? "local") === "local") {
    example = await ask(({ confirm }) =>
      confirm({ message: "Add the sample application, to try it out?", default: isEmpty(folder) }, DRAWN),
    );
  }
  const given = givenAnswers(options, folder, example === true, notes);
  const answers = asking ? await askFor(given, options, example === true) : given;
  requireAzure(answers);
  environmentOf(answers);
  if (answers.platform === "local" && options.port === undefined) {
    return { answers: await onFreePorts(answers, notes), example: example === true, notes };
  }
  return { answers, example: example === true, notes };
}

/** The options, with defaults for the rest. */
function givenAnswers(options: InitOptions, folder: string, example: boolean, notes: string[]): Answers {
  const platform = oneOf("--platform", options.platform ?? "local", ["local", "azure"]);
  const local = platform === "local";
  if (example && !local) {
    throw new InvalidInput("--example needs --platform local: on Azure, artifacts must be published first");
  }
  return {
    name: options.name ?? (local ? "local" : "prod"),
    platform,
    application: options.application ?? (example ? "socialgoal" : applicationFrom(basename(resolve(folder)))),
    topology: oneOf("--topology", options.topology ?? "sideBySide", TOPOLOGIES),
    servers: wholeNumber("--servers", options.servers ?? "2"),
    start: options.start === undefined ? ["node", "server.js"] : parseStart(options.start),
    healthPath: options.healthPath ?? (options.os === "windows" ? "/_release.txt" : "/health"),
    page: options.page === undefined ? (example ? "/" : "") : pageFrom(options.page),
    driver: chooseDriver(options.driver, local, notes),
    portBase: wholeNumber("--port", options.port ?? String(FIRST_PORT)),
    database: databaseFrom(options.database, { local, example }, notes),
    subscription:
      options.subscription ??
      process.env["ARM_SUBSCRIPTION_ID"] ??
      process.env["AZURE_SUBSCRIPTION_ID"] ??
      "",
    tenant: options.tenant ?? process.env["ARM_TENANT_ID"] ?? process.env["AZURE_TENANT_ID"] ?? "",
    location: options.location ?? "",
    sshKey: options.sshKey === undefined ? (defaultKey() ?? "") : keyFrom(options.sshKey),
    os: oneOf("--os", options.os ?? "linux", ["linux", "windows"]),
  };
}

/** One question for each answer without an option. It shows what is wrong with an answer at once. */
async function askFor(given: Answers, options: InitOptions, example: boolean): Promise<Answers> {
  let answers = given;
  const take = (changes: Partial<Answers>): void => {
    answers = { ...answers, ...changes };
  };
  const text = async (message: string, initial: string, change: (text: string) => Partial<Answers>) => {
    const validate = (input: string): string | true => {
      if (input.trim() === "") return "an answer is required";
      try {
        return problemWith({ ...answers, ...change(input.trim()) }) ?? true;
      } catch (error) {
        return (error as Error).message;
      }
    };
    const answer = await ask(({ input }) => input({ message, default: initial, validate }, DRAWN));
    take(change(answer.trim()));
  };
  const choice = async <T extends string>(message: string, initial: T, values: readonly T[]): Promise<T> =>
    ask(({ select }) =>
      select({ message, default: initial, choices: values.map((value) => ({ value })) }, DRAWN),
    );

  if (options.platform === undefined && !example) {
    const platform = await choice("Where does it run?", answers.platform, ["local", "azure"]);
    take({ platform, name: options.name ?? (platform === "local" ? "local" : "prod") });
  }
  if (options.name === undefined) {
    await text("Name of the environment", answers.name, (name) => ({ name }));
  }
  if (options.application === undefined && !example) {
    await text("Name of the application", answers.application, (application) => ({ application }));
  }
  if (options.servers === undefined) {
    await text("How many web servers?", String(answers.servers), (servers) => ({
      servers: wholeNumber("The number of servers", servers),
    }));
  }
  if (options.topology === undefined) {
    const possible = answers.servers < 2 ? (["sideBySide"] as const) : TOPOLOGIES;
    take({ topology: await choice("Where are the two slots?", answers.topology, possible) });
  }
  if (answers.platform === "local") {
    if (options.driver === undefined) {
      take({ driver: await choice("Which proxy?", answers.driver, DRIVERS.filter(isInstalled)) });
    }
  } else await askForAzure(answers, options, { take, text, choice });
  if (options.start === undefined && !example && answers.os !== "windows") {
    await text("What command starts an instance?", answers.start.join(" "), (start) => ({
      start: parseStart(start),
    }));
  }
  if (options.healthPath === undefined && !example) {
    await text("Which path answers the health check?", answers.healthPath, (healthPath) => ({ healthPath }));
  }
  if (options.page === undefined && !example) {
    await text(`Which page must a release answer before it gets users, or ${NO_PAGE}?`, "/", (page) => ({
      page: pageFrom(page),
    }));
  }
  return answers;
}

function pageFrom(answer: string): string {
  return answer === NO_PAGE ? "" : answer;
}

interface Asking {
  take(changes: Partial<Answers>): void;
  text(message: string, initial: string, change: (text: string) => Partial<Answers>): Promise<void>;
  choice<T extends string>(message: string, initial: T, values: readonly T[]): Promise<T>;
}

async function askForAzure(answers: Answers, options: InitOptions, asking: Asking): Promise<void> {
  const { take, text, choice } = asking;
  if (options.os === undefined) {
    const os = await choice("What do the web servers run?", answers.os, ["linux", "windows"]);
    take({ os, ...(os === "windows" ? { healthPath: options.healthPath ?? "/_release.txt" } : {}) });
  }
  if (options.subscription === undefined)
    await text("Subscription (GUID)", answers.subscription, (subscription) => ({ subscription }));
  if (options.tenant === undefined) await text("Tenant (GUID)", answers.tenant, (tenant) => ({ tenant }));
  if (options.location === undefined)
    await text("Region", answers.location || "westeurope", (location) => ({ location }));
  if (options.sshKey === undefined) {
    await text("Public SSH key, or its file", answers.sshKey, (key) => ({ sshKey: keyFrom(key) }));
  }
}

function requireAzure(answers: Answers): void {
  if (answers.platform !== "azure") return;
  const missing = Object.entries(AZURE_OPTIONS).flatMap(([key, option]) =>
    answers[key as keyof typeof AZURE_OPTIONS] === "" ? [option] : [],
  );
  if (missing.length === 0) return;
  throw new InvalidInput(`--platform azure needs ${missing.join(", ")}: nothing was written`);
}

function isEmpty(folder: string): boolean {
  return (
    !existsSync(folder) ||
    readdirSync(folder).every((name) => name.startsWith(".") || name === "node_modules")
  );
}

function isInstalled(driver: DriverName): boolean {
  return driver === "embedded" || findProgram(driver) !== undefined;
}

function chooseDriver(wanted: string | undefined, local: boolean, notes: string[]): DriverName {
  if (wanted !== undefined) {
    const driver = oneOf("--driver", wanted, DRIVERS);
    if (local && !isInstalled(driver))
      notes.push(`${driver} is not installed: install it before the first release`);
    return driver;
  }
  if (!local || isInstalled("haproxy")) return "haproxy";
  notes.push("HAProxy is not installed: the environment uses the embedded proxy, which is for trials");
  return "embedded";
}

/** The sample application has migrations; without PostgreSQL it stores its goals in files. */
function databaseFrom(
  wanted: string | undefined,
  { local, example }: { readonly local: boolean; readonly example: boolean },
  notes: string[],
): Dialect | null {
  if (wanted === undefined) return example && hasPostgres(notes) ? "postgres" : null;
  if (!local) {
    throw new InvalidInput(
      "--database needs --platform local: on Azure, set platform.database in the environment file",
    );
  }
  const dialect = oneOf("--database", wanted, DIALECTS);
  if (dialect === "mssql" && !process.env[SERVER_VARIABLE.mssql]) {
    notes.push(
      `set ${SERVER_VARIABLE.mssql} before the first release: base creates the database on that SQL Server`,
    );
  }
  return dialect;
}

function hasPostgres(notes: string[]): boolean {
  if (process.env["PG_URL"]) return true;
  try {
    findPrograms(packagedPostgres());
    return true;
  } catch {
    notes.push(
      "PostgreSQL is not installed: the sample application stores its goals in files, without migrations",
    );
    return false;
  }
}

/** Chooses ports that no other program of this machine uses. */
async function onFreePorts(answers: Answers, notes: string[]): Promise<Answers> {
  for (let portBase = FIRST_PORT; portBase < LAST_PORT; portBase += PORTS_APART) {
    const environment = parseEnvironment(environmentText({ ...answers, portBase }), "the environment");
    if (!isLocal(environment) || (await takenPorts(environment)).length > 0) continue;
    if (portBase !== FIRST_PORT)
      notes.push(`port ${FIRST_PORT} or one above it is in use: the site gets port ${portBase}`);
    return { ...answers, portBase };
  }
  throw new Failure(
    `no free ports between ${FIRST_PORT} and ${LAST_PORT}: choose one with --port`,
    EXIT.refused,
  );
}

function defaultKey(): string | undefined {
  const files = ["id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"].map((name) => join(homedir(), ".ssh", name));
  const found = files.find((file) => existsSync(file));
  return found === undefined ? undefined : readFileSync(found, "utf8").trim();
}

function keyFrom(keyOrFile: string): string {
  return existsSync(keyOrFile) ? readFileSync(keyOrFile, "utf8").trim() : keyOrFile;
}

function wholeNumber(what: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidInput(`${what} must be a whole number, not ${JSON.stringify(text.slice(0, 40))}`);
}

function oneOf<T extends string>(option: string, given: string, known: readonly T[]): T {
  const value = known.find((each) => each === given);
  if (value !== undefined) return value;
  throw new InvalidInput(
    `${option} must be ${known.join(" or ")}, not ${JSON.stringify(given.slice(0, 40))}`,
  );
}
