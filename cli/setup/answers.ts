/**
 * The answers of `bluegreen init`, and the environment file that they make. Pure: the caller finds the defaults. The
 * parser of environment files checks the result.
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
  /** The start command of an instance, as a list of arguments; unused on Windows. */
  readonly start: readonly string[];
  readonly healthPath: string;
  /** A page that each release has to answer with 200 before it gets users; empty for none. */
  readonly page: string;
  /** local only */
  readonly driver: DriverName;
  readonly portBase: number;
  /** The database that all releases share, or null. */
  readonly database: Dialect | null;
  /** azure only */
  readonly subscription: string;
  readonly tenant: string;
  readonly location: string;
  readonly sshKey: string;
  readonly os: "linux" | "windows";
}

/** Answers without a default. */
export const AZURE_OPTIONS = {
  subscription: "--subscription",
  tenant: "--tenant",
  location: "--location",
  sshKey: "--ssh-key",
} as const;

/** Replace answers that are still missing, so that the others can be checked. */
const PLACEHOLDERS = {
  subscription: "00000000-0000-0000-0000-000000000000",
  tenant: "00000000-0000-0000-0000-000000000000",
  location: "westeurope",
  sshKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDn1nXS8Z8h1nV1pX0k6Jm3gk8g1ZbO1n0bWm1xq3i5K",
};

/** The `local` environment's record is in the project's root; others are beside their environment file. */
export function recordFileOf(name: string): string {
  return name === "local" ? "release.json" : `environments/${name}.release.json`;
}

export function environmentFileOf(name: string): string {
  return `environments/${name}.json`;
}

/** The environment file's content, as JSON. */
export function environmentText(answers: Answers): string {
  const { name, application, topology, servers, start, healthPath, page, driver } = answers;
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
      // IIS does not send the header: the release id is in a file of the release.
      ...(windows ? { releaseHeader: null, deadlineSeconds: 180 } : {}),
      ...(local ? { intervalSeconds: 0.2, deadlineSeconds: 20 } : {}),
      ...(page === "" ? {} : { smoke: [{ path: page }] }),
    },
    schedule: local
      ? { strategy: "blueGreen", bakeSeconds: 2, drainSeconds: 10 }
      : { strategy: "canary", steps: [5, 25, 50, 100], stepSeconds: 60, bakeSeconds: 300 },
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** @throws InvalidInput if the answers make no valid environment. */
export function environmentOf(answers: Answers): Environment {
  const file = environmentFileOf(answers.name);
  try {
    return parseEnvironment(environmentText(answers), file);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    throw new InvalidInput(`nothing was written: ${error.message.replace(`${file}: `, "")}`);
  }
}

/** What is wrong with the answers, apart from missing answers for Azure; null if nothing is. */
export function problemWith(answers: Answers): string | null {
  const placeholders = Object.fromEntries(
    Object.entries(PLACEHOLDERS).filter(([key]) => answers[key as keyof typeof PLACEHOLDERS] === ""),
  );
  try {
    environmentOf({ ...answers, ...placeholders });
    return null;
  } catch (error) {
    return (error as Error).message.replace("nothing was written: ", "");
  }
}

/** A JSON list of strings, or words separated by spaces. No shell interprets it. */
export function parseStart(text: string): string[] {
  if (!text.trimStart().startsWith("[")) return text.split(/\s+/).filter((word) => word !== "");
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every((word) => typeof word === "string")) return list;
  } catch {
    // the error is below
  }
  throw new InvalidInput(`--start is not a list of strings: use the form ["node", "server.js"]`);
}

/** Makes an application name from a folder's name. Names of servers and databases begin with it. */
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
