/** One parser of database addresses for all programs. It refuses invalid ones before anything connects. */
import fc from "fast-check";
import { databaseOnServer, parseDatabaseAddress } from "../../../release/migrations/database-address";
import { InvalidInput } from "../../../release/failure";

const PASSWORD = "p4ss-w0rd";

function refusal(text: string): string {
  try {
    parseDatabaseAddress(text);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInput);
    return (error as Error).message;
  }
  throw new Error("was not refused");
}

describe("SQL Server", () => {
  it("is read into what its driver asks for", () => {
    expect(parseDatabaseAddress("mssql://app:s3cret@db.example.org:14330/goals")).toEqual({
      dialect: "mssql",
      database: "goals",
      server: "db.example.org",
      port: 14330,
      user: "app",
      password: "s3cret",
      encryption: "required",
      trustServerCertificate: false,
    });
  });

  it("leaves the port to the driver where none is given", () => {
    expect(parseDatabaseAddress("mssql://app:s3cret@db/goals")).not.toHaveProperty("port");
  });

  it.each([
    ["[::1]", "::1"],
    ["[2001:DB8::5]:1433", "2001:db8::5"],
    ["10.0.0.4", "10.0.0.4"],
    ["sql_server", "sql_server"],
  ])("host %s is %s to the driver", (host, server) => {
    expect(parseDatabaseAddress(`mssql://app:s3cret@${host}/goals`)).toMatchObject({ server });
  });

  it("has its escaped characters back", () => {
    expect(parseDatabaseAddress("mssql://do%5Cmain:%25%40%3A%2F%23ü@h/my%20goals")).toMatchObject({
      user: "do\\main",
      password: "%@:/#ü",
      database: "my goals",
    });
  });

  it.each(["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "LOCALHOST"])(
    "may show a certificate that nobody signed where it is this machine: %s",
    (host) => {
      const address = `mssql://sa:s3cret@${host}/scratch?trustServerCertificate=true`;
      expect(parseDatabaseAddress(address)).toMatchObject({ trustServerCertificate: true });
    },
  );

  it.each([
    "db.example.org",
    "10.0.0.4",
    "[::2]",
    "localhost.example.org",
    "127.0.0.1.example.org",
    "128.0.0.1",
  ])("may not elsewhere: %s", (host) => {
    expect(refusal(`mssql://sa:${PASSWORD}@${host}/scratch?trustServerCertificate=true`)).toMatch(
      /trustServerCertificate=true, but its host is not this machine/,
    );
  });

  it("is spoken to by strict encryption where the address asks for it", () => {
    expect(parseDatabaseAddress("mssql://app:s3cret@h/goals?encrypt=strict")).toMatchObject({
      encryption: "strict",
    });
  });
});

describe("PostgreSQL", () => {
  it.each([
    "postgres://app:s3cret@[::1]:5432/goals",
    "postgresql://app@h/goals?sslmode=verify-full",
    "postgres:///goals?host=/run/postgresql",
  ])("reaches its driver as it was written: %s", (address) => {
    expect(parseDatabaseAddress(address)).toEqual({ dialect: "postgres", connectionString: address });
  });

  it("may have a space in its password", () => {
    expect(parseDatabaseAddress("postgres://app:a b%2F@h/goals")).toEqual({
      dialect: "postgres",
      connectionString: "postgres://app:a%20b%2F@h/goals",
    });
  });
});

describe("refused with one line that shows what to write", () => {
  it.each([
    ["no database", `mssql://app:${PASSWORD}@h`, /names no database/],
    ["no database after a slash", `mssql://app:${PASSWORD}@h/`, /names no database/],
    ["no database, of PostgreSQL", `postgres://app:${PASSWORD}@h`, /names no database/],
    ["another protocol", `mysql://app:${PASSWORD}@h/goals`, /must begin with mssql:\/\/ or postgres:\/\//],
    ["no protocol", `app:${PASSWORD}@h/goals`, /must begin with/],
    ["nothing", "", /must begin with/],
    ["a connection string", `Server=h;Password=${PASSWORD}`, /must begin with/],
    ["a % in the password", `mssql://app:${PASSWORD}%@h/goals`, /"%" in it that is not an escape/],
    [
      "a % in PostgreSQL's password",
      `postgres://app:${PASSWORD}%zz@h/goals`,
      /"%" in it that is not an escape/,
    ],
    [
      "bytes that are no UTF-8",
      `mssql://app:${PASSWORD}%ff@h/goals`,
      /"%" in the password that is not an escape/,
    ],
    ["a port out of range", `mssql://app:${PASSWORD}@h:65536/goals`, /a port is a number from 1 to 65535/],
    ["port 0", `mssql://app:${PASSWORD}@h:0/goals`, /port 0/],
    ["a port that is no number", `postgres://app:${PASSWORD}@h:x/goals`, /from 1 to 65535/],
    ["a # in the password", `mssql://app:a#${PASSWORD}@h/goals`, /%23 for #/],
    ["an @ and a # in the password", `mssql://app:a@b#${PASSWORD}@h/goals`, /has a # or a \//],
    ["an @ and a / in the password", `mssql://app:a@b/${PASSWORD}@h/goals`, /has a # or a \//],
    ["an @ and a ? in the password", `mssql://app:a@b/c?${PASSWORD}@h/goals`, /an unknown parameter/],
    ["no host", `mssql:app:${PASSWORD}@h`, /names no (host|database)/],
    [
      "an instance by its name",
      `mssql://app:${PASSWORD}@h\\SQLEXPRESS/goals`,
      /written as|is given by its port/,
    ],
    ["a host that is no name", `mssql://app:${PASSWORD}@h%20x/goals`, /neither a name nor an IP address/],
    ["no user", `mssql://h/goals`, /has no user/],
    ["no password", `mssql://app@h/goals`, /has no password/],
    ["an unknown parameter", `mssql://app:${PASSWORD}@h/goals?Encrypt=true`, /an unknown parameter/],
    [
      "encryption that is turned off",
      `mssql://app:${PASSWORD}@h/goals?encrypt=false`,
      /encrypt must be true or/,
    ],
    ["two answers", `mssql://a:${PASSWORD}@h/g?encrypt=true&encrypt=strict`, /encrypt must be .*, once/],
    [
      "strict encryption that verifies nothing",
      `mssql://a:${PASSWORD}@localhost/g?encrypt=strict&trustServerCertificate=true`,
      /always verifies the certificate/,
    ],
    ["two lines", `mssql://app:${PASSWORD}\n@h/goals`, /more than one line/],
    ["NUL in PostgreSQL's user", `postgres://app%00x:${PASSWORD}@h/goals`, /control character/],
    ["NUL in a database's name", `postgres://app:${PASSWORD}@h/goals%00`, /control character/],
  ])("%s", (_, address, message) => {
    const said = refusal(address);
    expect(said).toMatch(message);
    expect(said).not.toContain(PASSWORD);
    expect(said).not.toMatch(/\n/);
  });

  it("and names the variable that it came from", () => {
    expect(() => parseDatabaseAddress("h", "MSSQL_URL")).toThrow(/^MSSQL_URL must begin/);
  });

  it("any text, without quoting it", () => {
    const text = fc.string({ unit: fc.constantFrom(...":/?#[]@%\\&=.hx1é \n\0".split("")), maxLength: 30 });
    fc.assert(
      fc.property(text, text, fc.constantFrom("mssql", "postgres", "x"), (before, after, protocol) => {
        try {
          parseDatabaseAddress(`${protocol}://${before}${PASSWORD}${after}`);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInput);
          expect((error as Error).message).not.toContain(PASSWORD);
        }
      }),
    );
  });
});

describe("a database on a server that is given by its address", () => {
  const on = (server: string, dialect: "mssql" | "postgres" = "mssql") =>
    databaseOnServer(server, "bluegreen_goals", dialect);

  it("takes the place of the one that the address names", () => {
    const { server, address } = on("mssql://sa:s%23@[::1]:1433/tools?trustServerCertificate=true");
    expect(address).toBe("mssql://sa:s%23@[::1]:1433/bluegreen_goals?trustServerCertificate=true");
    expect(server).toMatchObject({ server: "::1", database: "tools", password: "s#" });
  });

  it("is made from the one that every server has, where the address names none", () => {
    expect(on("mssql://sa:s3cret@h")).toMatchObject({
      server: { database: "master" },
      address: "mssql://sa:s3cret@h/bluegreen_goals",
    });
    expect(on("postgres://a:b@h/", "postgres")).toMatchObject({
      server: { connectionString: "postgres://a:b@h/postgres" },
      address: "postgres://a:b@h/bluegreen_goals",
    });
  });

  it("keeps a socket", () => {
    expect(on("postgres:///postgres?host=/run/postgresql", "postgres").address).toBe(
      "postgres:///bluegreen_goals?host=/run/postgresql",
    );
  });

  it("is refused where the server speaks the other dialect", () => {
    expect(() => on("postgres://a:b@h/")).toThrow(/^MSSQL_URL must be an address as in mssql:\/\/user/);
    expect(() => on("mssql://a:b@h/", "postgres")).toThrow(
      /^PG_URL must be an address as in postgres:\/\/user/,
    );
  });

  it("is refused where the address is", () => {
    expect(() => on("mssql://sa:s3cret@h?trustServerCertificate=true")).toThrow(
      /^MSSQL_URL .* not this machine/,
    );
  });
});
