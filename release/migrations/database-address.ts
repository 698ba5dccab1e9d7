/**
 * The address of a database, as in a secret, a file or an environment variable:
 * `postgres://user:password@host:port/database` or `mssql://...`. All programs parse it here before they connect. No message
 * quotes any part of an address, because in a malformed one any part may be the password.
 */
import { InvalidInput } from "../failure";
import { isThisMachine } from "../this-machine";

interface PostgresAddress {
  readonly dialect: "postgres";
  /** In the driver's format, with its parameters (`sslmode`, `host` for a socket ...). */
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
  /** `strict` (`?encrypt=strict`): TLS starts before SQL Server's own protocol (TDS 8.0, since 2022). */
  readonly encryption: "required" | "strict";
  /** Only if the server is this machine: its certificate need not be signed. */
  readonly trustServerCertificate: boolean;
}

export type DatabaseAddress = PostgresAddress | MssqlAddress;

/** The supported databases, the default first. */
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
 * @throws InvalidInput if it is not an address, or names no database: the journal would end up in the server's default
 * database.
 */
export function parseDatabaseAddress(text: string, what: string = IN_A_SECRET): DatabaseAddress {
  const url = readUrl(text, what);
  const database = databaseIn(url, what);
  if (database === "") {
    throw new InvalidInput(`${what} names no database: add it after the host, as in ${shapeOf(url)}`);
  }
  return url.protocol === "mssql:"
    ? mssqlAddress(url, database, what)
    : { dialect: "postgres", connectionString: url.href };
}

/**
 * The environment variables with the server on which the local platform creates its database. An address contains a
 * password, so it must not be in a repository.
 */
export const SERVER_VARIABLE = { postgres: "PG_URL", mssql: "MSSQL_URL" } as const;
export const NO_SQL_SERVER = `the environment's database is a SQL Server, and ${SERVER_VARIABLE.mssql} is not set: set it to an address as in mssql://user:password@host:port, outside the repository`;
/** The database to connect to when creating another one. */
const DEFAULT_DATABASE = { postgres: "postgres", mssql: "master" } as const;

export interface DatabaseOnServer {
  /** Where to connect to create it: the database in the server's address, or the default one. */
  readonly server: DatabaseAddress;
  /** The database's address, for application and migrator. */
  readonly address: string;
}

/**
 * A database on the server in {@link SERVER_VARIABLE}.
 * @param name letters, digits and `_`.
 * @throws InvalidInput if the server's address has another dialect.
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
  if (databaseIn(url, what) === "") url.pathname = `/${DEFAULT_DATABASE[dialect]}`;
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
        `${what} has an unknown parameter: only ${MSSQL_PARAMETERS.join(" and ")} are known`,
      );
    }
  }
  const trusts = oneOf(url, "trustServerCertificate", ["false", "true"], what) === "true";
  const strict = oneOf(url, "encrypt", ["true", "strict"], what) === "strict";
  if (trusts && !isThisMachine(server)) {
    throw new InvalidInput(
      `${what} has trustServerCertificate=true, but its host is not this machine: install the server's certificate authority here, and remove the parameter`,
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
  // The URL parser would silently drop tabs and line ends.
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
  // A URL keeps the brackets of an IPv6 address; a driver would resolve them as a name.
  const server = hostname.replace(/^\[(.*)\]$/, "$1");
  if (server === "") throw new InvalidInput(`${what} names no host: write it as in ${SHAPES.mssql}`);
  if (!/^(?:[0-9A-Za-z._-]{1,253}|[0-9a-f:.]+)$/.test(server)) {
    throw new InvalidInput(
      `${what} has a host that is neither a name nor an IP address: letters, digits, "-", "_" and "."; select an instance of SQL Server by its port`,
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
  // PostgreSQL's protocol ends its parts with NUL, so a NUL within a part would start another.
  if (/\p{Cc}/u.test(text)) throw new InvalidInput(`${what} has an escaped control character`);
  return text;
}

function unescapedPercent(what: string, where: string): string {
  return `${what} has a "%" in ${where} that is not an escape: write %25 for a percent sign`;
}

function oneOf(url: URL, name: string, values: readonly string[], what: string): string | undefined {
  const given = url.searchParams.getAll(name);
  const [value] = given;
  if (given.length > 1 || (value !== undefined && !values.includes(value))) {
    throw new InvalidInput(`${what}: ${name} must be ${values.join(" or ")}, once`);
  }
  return value;
}

function shapeOf({ protocol }: URL): string {
  return SHAPES[PROTOCOLS[protocol]!];
}
