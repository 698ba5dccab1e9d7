/**
 * What `bluegreen init` has to know, and the environment file that follows from it. Pure, but for what defaults are
 * looked up by the caller: every answer has one, and the file is checked by the parser that will read it.
 */
import type { DriverName } from "../../configuration/drivers";
import { parseEnvironment } from "../../configuration/environment-file";
import type { Environment } from "../../configuration/environment";
import type { Dialect } from "../../release/migrations/sql-text";
import { InvalidInput } from "../../release/failure";
import type { Topology } from "../../release/schedule";

export interface Answers {
  readonly name: string;
  readonly platform: "local" | "azure";
  readonly application: string;
  readonly topology: Topology;
  readonly servers: number;
  /** What starts an instance, as a list of arguments; nothing on Windows. */
  readonly start: readonly string[];
  readonly healthPath: string;
  /** local only */
  readonly driver: DriverName;
  readonly portBase: number;
  /** That all releases share; null where there is none. */
  readonly database: Dialect | null;
  /** azure only */
  readonly subscription: string;
  readonly tenant: string;
  readonly location: string;
  readonly sshKey: string;
  readonly os: "linux" | "windows";
}

/** What is asked for beyond defaults that suit anybody: only who sets an environment up on Azure knows it. */
export const AZURE_OPTIONS = {
  subscription: "--subscription",
  tenant: "--tenant",
  location: "--location",
  sshKey: "--ssh-key",
} as const;

/** Stand in for what is not known yet, while the other answers are checked. */
const PLACEHOLDERS = {
  subscription: "00000000-0000-0000-0000-000000000000",
  tenant: "00000000-0000-0000-0000-000000000000",
  location: "westeurope",
  sshKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDn1nXS8Z8h1nV1pX0k6Jm3gk8g1ZbO1n0bWm1xq3i5K",
};

/** The `local` environment's record is where everybody looks for it; others are beside their file. */
export function recordFileOf(name: string): string {
  return name === "local" ? "release.json" : `environments/${name}.release.json`;
}

export function environmentFileOf(name: string): string {
  return `environments/${name}.json`;
}

/** The environment file's content, as JSON. @param example with what the sample application offers for a smoke test */
export function environmentText(answers: Answers, example = false): string {
  const { name, application, topology, servers, start, healthPath, driver } = answers;
  const local = answers.platform === "local";
  const windows = !local && answers.os === "windows";
  const file = {
    formatVersion: 1,
    application,
    name,
    record: recordFileOf(name),
    platform: local ? localPlatform(answers) : azurePlatform(answers),
    topology,
    servers: { count: servers },
    proxies: { driver: local ? driver : "haproxy", count: local ? 1 : 2 },
    ...(windows ? {} : { start }),
    verification: {
      path: healthPath,
      // IIS sends no header of ours: the id stands in a file of the release.
      ...(windows ? { releaseHeader: null, deadlineSeconds: 180 } : {}),
      ...(local ? { intervalSeconds: 0.2, deadlineSeconds: 20 } : {}),
      ...(example ? { smoke: [{ path: "/" }] } : {}),
    },
    schedule: local
      ? { strategy: "blueGreen", bakeSeconds: 2, drainSeconds: 10 }
      : { strategy: "canary", steps: [5, 25, 50, 100], stepSeconds: 60, bakeSeconds: 300 },
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** @throws InvalidInput in words of the options where the answers make no environment. */
export function environmentOf(answers: Answers): Environment {
  const file = environmentFileOf(answers.name);
  try {
    return parseEnvironment(environmentText(answers), file);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    throw new InvalidInput(`nothing was written: ${error.message.replace(`${file}: `, "")}`);
  }
}

/** What is wrong with the answers, whatever is still missing of Azure's; null where nothing is. */
export function problemWith(answers: Answers): string | null {
  const known = Object.fromEntries(
    Object.entries(PLACEHOLDERS).filter(([key]) => answers[key as keyof typeof PLACEHOLDERS] === ""),
  );
  try {
    environmentOf({ ...answers, ...known });
    return null;
  } catch (error) {
    return (error as Error).message.replace("nothing was written: ", "");
  }
}

/** A JSON list of strings, or words with blanks between them. No shell reads it, so nothing else has a meaning. */
export function parseStart(text: string): string[] {
  if (!text.trimStart().startsWith("[")) return text.split(/\s+/).filter((word) => word !== "");
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every((word) => typeof word === "string")) return list;
  } catch {
    // said below
  }
  throw new InvalidInput(`--start is no list of strings: write it as in ["node", "server.js"]`);
}

/** A folder's name as an application's: what the names of servers and databases are made of. */
export function applicationFrom(folderName: string): string {
  const name = folderName
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, 24)
    .replace(/-+$/, "");
  return name === "" ? "app" : name;
}

function localPlatform({ portBase, database }: Answers): object {
  return { kind: "local", portBase, ...(database === null ? {} : { database }) };
}

function azurePlatform({ subscription, tenant, location, sshKey, os, start }: Answers): object {
  const packages = os === "linux" && start[0] === "node" ? ["nodejs"] : [];
  return {
    kind: "azure",
    subscriptionId: subscription,
    tenantId: tenant,
    location,
    sshPublicKey: sshKey,
    webServers: { os, ...(packages.length > 0 ? { packages } : {}) },
  };
}
