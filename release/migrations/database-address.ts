/**
 * The address of a database, as a person writes it into a secret, a file or an environment variable:
 * `postgres://user:password@host:port/database` or `mssql://...`. One reading of it for all programs, before any of
 * them connects. No message quotes any part of an address: where one is malformed, each part may hold the password.
 */
import { InvalidInput } from "../failure";
import { isThisMachine } from "../this-machine";

interface PostgresAddress {
  readonly dialect: "postgres";
  /** As the driver takes it, with its parameters (`sslmode`, `host` for a socket ...). */
  readonly connectionString: string;
}

export interface MssqlAddress {
  readonly dialect: "mssql";
  readonly database: string;
  /** A name or an IP address; an IPv6 address has no brackets here. */
  readonly server: string;
  /** @default the driver's, 1433 */
  readonly port?: number;
  readonly user: string;
  readonly password: string;
  /** `strict` (`?encrypt=strict`): TLS comes before anything of SQL Server's own protocol (TDS 8.0, since 2022). */
  readonly encryption: "required" | "strict";
  /** Only where the server is this machine: its certificate need not be signed. */
  readonly trustServerCertificate: boolean;
}

export type DatabaseAddress = PostgresAddress | MssqlAddress;

/** The databases that are known here, the default first. */
export const DIALECTS = ["postgres", "mssql"] as const;

const SHAPES = {
  postgres: "postgres://user:password@host:port/database",
  mssql: "mssql://user:password@host:port/database",
} as const;
const PROTOCOLS: Readonly<Record<string, keyof typeof SHAPES>> = {
  "postgres:": "postgres",
  "postgresql:": "postgres",
  "mssql:": "mssql",
};
const IN_A_SECRET = "the database's address";
const MSSQL_PARAMETERS = ["encrypt", "trustServerCertificate"];

/**
 * @param what names the address in a message, as in `PG_URL`.
 * @throws InvalidInput if it is no address, or names no database: the journal would come into the one that the
 * server takes by default.
 */
export function parseDatabaseAddress(text: string, what: string = IN_A_SECRET): DatabaseAddress {
  const url = readUrl(text, what);
  const database = databaseIn(url, what);
  if (database === "") {
    throw new InvalidInput(`${what} names no database: write it behind the host, as in ${shapeOf(url)}`);
  }
  return url.protocol === "mssql:"
    ? mssqlAddress(url, database, what)
    : { dialect: "postgres", connectionString: url.href };
}

/**
 * The environment variables that give the server on which the local platform makes its database. An address holds a
 * password, so it is in no file of a repository.
 */
export const SERVER_VARIABLE = { postgres: "PG_URL", mssql: "MSSQL_URL" } as const;
export const NO_SQL_SERVER = `the environment's database is a SQL Server, and ${SERVER_VARIABLE.mssql} does not name it: set it to an address as in mssql://user:password@host:port, outside of the repository`;
/** Where one connects to make another database. */
const OF_EVERY_SERVER = { postgres: "postgres", mssql: "master" } as const;

export interface DatabaseOnServer {
  /** Where to connect to make it: the database that the server's address names, or the one that every server has. */
  readonly server: DatabaseAddress;
  /** Of the database itself, for application and migrator. */
  readonly address: string;
}

/**
 * A database on a server that was given by {@link SERVER_VARIABLE}.
 * @param name letters, digits and `_`.
 * @throws InvalidInput if the server's address is none of this dialect.
 */
export function databaseOnServer(
  server: string,
  name: string,
  dialect: DatabaseAddress["dialect"],
): DatabaseOnServer {
  const what = SERVER_VARIABLE[dialect];
  const url = readUrl(server, what);
  if (PROTOCOLS[url.protocol] !== dialect) {
    throw new InvalidInput(`${what} must be an address as in ${SHAPES[dialect]}`);
  }
  if (databaseIn(url, what) === "") url.pathname = `/${OF_EVERY_SERVER[dialect]}`;
  const parsed = parseDatabaseAddress(url.href, what);
  url.pathname = `/${name}`;
  return { server: parsed, address: url.href };
}

function mssqlAddress(url: URL, database: string, what: string): MssqlAddress {
  const server = serverIn(url, what);
  const [user, password] = [decoded(url.username, what, "user"), decoded(url.password, what, "password")];
  if (user === "" || password === "") {
    throw new InvalidInput(
      `${what} has no ${user === "" ? "user" : "password"}: write it as in ${SHAPES.mssql}`,
    );
  }
  for (const name of url.searchParams.keys()) {
    if (!MSSQL_PARAMETERS.includes(name)) {
      throw new InvalidInput(
        `${what} has a parameter that is not known: ${MSSQL_PARAMETERS.join(" and ")} are`,
      );
    }
  }
  const trusts = oneOf(url, "trustServerCertificate", ["false", "true"], what) === "true";
  const strict = oneOf(url, "encrypt", ["true", "strict"], what) === "strict";
  if (trusts && !isThisMachine(server)) {
    throw new InvalidInput(
      `${what} has trustServerCertificate=true, and its host is not this machine: install the server's certificate authority here, and leave it out`,
    );
  }
  if (trusts && strict) {
    throw new InvalidInput(
      `${what} has encrypt=strict and trustServerCertificate=true: strict encryption always verifies the certificate, so leave one of them out`,
    );
  }
  return {
    dialect: "mssql",
    database,
    server,
    ...(url.port === "" ? {} : { port: Number(url.port) }),
    user,
    password,
    encryption: strict ? "strict" : "required",
    trustServerCertificate: trusts,
  };
}

function readUrl(text: string, what: string): URL {
  // The URL parser would leave tabs and line ends out without a word.
  if (/\p{Cc}/u.test(text)) throw new InvalidInput(`${what} has more than one line, or a control character`);
  const protocol = /^[a-z]+:/i.exec(text)?.[0].toLowerCase() ?? "";
  const dialect = PROTOCOLS[protocol];
  if (dialect === undefined) {
    throw new InvalidInput(`${what} must begin with mssql:// or postgres://, as in ${SHAPES.mssql}`);
  }
  const shape = SHAPES[dialect];
  if (/%(?![0-9a-f]{2})/i.test(text)) throw new InvalidInput(unescapedPercent(what, "it"));
  if (!URL.canParse(text)) {
    throw new InvalidInput(
      `${what} is not written as ${shape}: a port is a number from 1 to 65535, and the characters : / ? # [ ] @ \\ in a user or password are %-escaped, as in %23 for #`,
    );
  }
  const url = new URL(text);
  if (url.port === "0") throw new InvalidInput(`${what} has port 0: a port is a number from 1 to 65535`);
  if (url.hash !== "" || /^\/[^/]*\//.test(url.pathname)) {
    throw new InvalidInput(
      `${what} has a # or a / where ${shape} has none: in a user, a password or a database's name they are %-escaped, as %23 and %2F`,
    );
  }
  for (const part of ["username", "password", "hostname"] as const) decoded(url[part], what, part);
  return url;
}

function databaseIn(url: URL, what: string): string {
  return decoded(url.pathname.slice(1), what, "database's name");
}

function serverIn({ hostname }: URL, what: string): string {
  // A URL keeps the brackets of an IPv6 address; a driver would look them up as a name.
  const server = hostname.replace(/^\[(.*)\]$/, "$1");
  if (server === "") throw new InvalidInput(`${what} names no host: write it as in ${SHAPES.mssql}`);
  if (!/^(?:[0-9A-Za-z._-]{1,253}|[0-9a-f:.]+)$/.test(server)) {
    throw new InvalidInput(
      `${what} has a host that is neither a name nor an IP address: letters, digits, "-", "_" and "."; an instance of SQL Server is given by its port`,
    );
  }
  return server;
}

function decoded(part: string, what: string, name: string): string {
  let text: string;
  try {
    text = decodeURIComponent(part);
  } catch {
    throw new InvalidInput(unescapedPercent(what, name === "username" ? "the user" : `the ${name}`));
  }
  // PostgreSQL's protocol ends its parts with NUL: one within a part would begin another.
  if (/\p{Cc}/u.test(text)) throw new InvalidInput(`${what} has an escaped control character`);
  return text;
}

function unescapedPercent(what: string, where: string): string {
  return `${what} has a "%" in ${where} that escapes nothing: write %25 for the character itself`;
}

function oneOf(url: URL, name: string, values: readonly string[], what: string): string | undefined {
  const given = url.searchParams.getAll(name);
  const [value] = given;
  if (given.length > 1 || (value !== undefined && !values.includes(value))) {
    throw new InvalidInput(`${what}: ${name} is ${values.join(" or ")}, once`);
  }
  return value;
}

function shapeOf({ protocol }: URL): string {
  return SHAPES[PROTOCOLS[protocol]!];
}
