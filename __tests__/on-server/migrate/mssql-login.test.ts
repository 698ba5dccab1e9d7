/** How the migrator gets into SQL Server, on the scripted one: addresses, encryption, logins. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { connect, createServer as listen } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream";
import { until } from "../../../development/testbed/processes";
import { selfSignedCertificate } from "../../../development/testbed/tds-server/certificate";
import type { TdsLogin } from "../../../development/testbed/tds-server/login7";
import type { SqlError } from "../../../development/testbed/tds-server/tokens";
import { refusal } from "./endings";
import { ScriptedDatabase } from "./kits";

type Options = NonNullable<Parameters<typeof ScriptedDatabase.start>[0]>;

const CERTIFICATE = selfSignedCertificate();

let database: ScriptedDatabase;
/** Accepted or not. */
let logins: TdsLogin[];
/** What the server says to the next logins. */
let refusals: SqlError[][];

beforeEach(() => startWith({}));
afterEach(() => database.close());

async function startWith(options: Options): Promise<void> {
  logins = [];
  refusals = [];
  const login = (given: TdsLogin): SqlError[] | null => {
    logins.push(given);
    return refusals.shift() ?? null;
  };
  database = await ScriptedDatabase.start({ login, certificate: CERTIFICATE, ...options });
}

async function restartWith(options: Options): Promise<void> {
  await database.close();
  await startWith(options);
}

const GOALS = { "0001-goals.sql": "CREATE TABLE dbo.goals (id int);" };

describe("the login is encrypted, or not sent:", () => {
  /** By its name, and with the certificate that it shows: nothing is taken on trust. */
  function verified(parameters = ""): NodeJS.ProcessEnv {
    const file = join(database.folder, "authority.pem");
    writeFileSync(file, database.server.certificate);
    database.reach(`mssql://sa:secret@localhost:${database.server.port}/shop${parameters}`);
    return { NODE_EXTRA_CA_CERTS: file };
  }

  describe.each([
    ["notSupported", "ENCRYPT_NOT_SUP"],
    ["off", "ENCRYPT_OFF"],
  ] as const)("a server whose PRELOGIN says %s", (encryption, words) => {
    beforeEach(() => restartWith({ encryption }));

    it("is sent no password", async () => {
      expect(await refusal(database, GOALS)).toEqual({
        exitCode: 3,
        reason: `127.0.0.1:${database.server.port} does not encrypt (its PRELOGIN has ${words}): nothing of the login was sent`,
      });
      expect(logins).toEqual([]);
    });

    it("is sent no access token", async () => {
      const azure = await Azure.start(database.server.port);
      try {
        expect(await refusal(database, GOALS, azure.options)).toEqual({
          exitCode: 3,
          reason: `${Azure.host}:1433 does not encrypt (its PRELOGIN has ${words}): nothing of the login was sent`,
        });
        expect(logins).toEqual([]);
      } finally {
        azure.stop();
      }
    });
  });

  it("strictly, where the server can; with a certificate that is verified", async () => {
    await restartWith({ strict: true });
    for (const parameters of ["", "?encrypt=strict"]) {
      expect(await database.run(GOALS, { env: verified(parameters) })).toMatchObject({ exitCode: 0 });
    }
    expect(new Set(database.server.encryptions)).toEqual(new Set(["strict"]));
  });

  it("and is an access token of the machine, where the database has Entra's logins", async () => {
    await restartWith({ strict: true, certificate: selfSignedCertificate(Azure.host) });
    const { NODE_EXTRA_CA_CERTS } = verified();
    const azure = await Azure.start(database.server.port);
    try {
      const { env, ...options } = azure.options;
      expect(await database.run(GOALS, { ...options, env: { ...env, NODE_EXTRA_CA_CERTS } })).toMatchObject({
        exitCode: 0,
      });
    } finally {
      azure.stop();
    }
    expect(new Set(logins.map(({ token }) => token))).toEqual(new Set([Azure.token]));
    expect(new Set(database.server.encryptions)).toEqual(new Set(["strict"]));
  });

  it("after PRELOGIN, where the server can't; and not at all where the address asks for strict", async () => {
    expect(await database.run(GOALS, { env: verified() })).toMatchObject({ exitCode: 0 });
    expect(new Set(database.server.encryptions)).toEqual(new Set(["afterPrelogin"]));
    logins = [];
    expect(await refusal(database, GOALS, { env: verified("?encrypt=strict") })).toEqual({
      exitCode: 3,
      reason: `localhost:${database.server.port} has no strict encryption (TDS 8.0, SQL Server 2022 and newer), but the address requires it: nothing of the login was sent`,
    });
    expect(logins).toEqual([]);
  });

  it("a certificate that nobody signed is taken from this machine only where the address says so", async () => {
    verified();
    const running = database.start(GOALS);
    await until(() => running.said().includes("self-signed certificate"), "the refusal's cause");
    expect(logins).toEqual([]);
  });
});

/** A metadata service with a token, and this server under an address at the port that Azure SQL has. */
class Azure {
  static readonly token = "eyJ0.of.this.machine";
  /** One of this process's own: the port is the same for everybody. */
  static readonly host = `127.${1 + (process.pid % 254)}.${(process.pid >> 8) % 256}.9`;

  private constructor(
    private readonly metadata: Server,
    private readonly gateway: { close(): unknown },
  ) {}

  static async start(port: number): Promise<Azure> {
    const metadata = createServer((_, response) =>
      response.end(JSON.stringify({ access_token: Azure.token })),
    );
    await once(metadata.listen(0, "127.0.0.1"), "listening");
    return new Azure(metadata, await gateway(Azure.host, 1433, port));
  }

  get options(): NonNullable<Parameters<ScriptedDatabase["run"]>[1]> {
    const { port } = this.metadata.address() as AddressInfo;
    return {
      database: { kind: "entra", server: Azure.host, database: "shop", identity: "/id" },
      env: { IMDS_ENDPOINT: `http://127.0.0.1:${port}` },
    };
  }

  stop(): void {
    this.metadata.close();
    this.gateway.close();
  }
}

/** Another address of what listens at a port of loopback. */
async function gateway(host: string, port: number, to: number): Promise<ReturnType<typeof listen>> {
  const server = listen((client) => {
    const on = connect(to, "127.0.0.1");
    pipeline(client, on, client, () => [client, on].forEach((socket) => socket.destroy()));
  });
  await once(server.listen(port, host), "listening");
  return server;
}

describe("what the server says to a login:", () => {
  it("4060 with 18456 may be a database that only just starts: it is asked again", async () => {
    refusals = [
      [
        { number: 4060, message: 'Cannot open database "shop" requested by the login.' },
        { number: 18456, message: "Login failed for user 'sa'." },
      ],
    ];
    const ended = await database.run(GOALS);
    expect(ended).toMatchObject({ exitCode: 0 });
    expect(ended.stderr).toContain('Cannot open database "shop" requested by the login.');
    expect(ended.stderr).toContain("retrying in 0.5 s");
  });

  it("18456 alone is final: its words, and no second try that would lock the login", async () => {
    refusals = [[{ number: 18456, message: "Login failed for user 'sa'." }]];
    expect(await refusal(database, GOALS)).toEqual({
      exitCode: 1,
      reason: "the database can't be reached: Login failed for user 'sa'.",
    });
    expect(logins).toHaveLength(1);
  });

  it("a server that is down is named with the cause, and used as soon as it is there", async () => {
    const { port } = database.server;
    await database.server.close();
    const running = database.start(GOALS);
    await until(() => running.said().includes("retrying in"), "a first failure");
    expect(running.said()).toContain(
      `the database can't be reached: Failed to connect to 127.0.0.1:${port} - connect ECONNREFUSED 127.0.0.1:${port}; retrying in 0.5 s`,
    );
    const again = await ScriptedDatabase.start({ port });
    try {
      expect(await running.ended).toMatchObject({ exitCode: 0 });
      expect(await again.journal()).toEqual(["0001-goals.sql applied"]);
    } finally {
      await again.close();
    }
  });
});

describe("an address", () => {
  it.each([
    ["an unescaped %", "mssql://sa:50%off@127.0.0.1:PORT/shop", /%25/],
    ["no database", "mssql://sa:secret@127.0.0.1:PORT", /names no database/],
    ["no database but a slash", "mssql://sa:secret@127.0.0.1:PORT/", /names no database/],
    [
      "trustServerCertificate for another machine",
      "mssql://sa:secret@db.example.com:PORT/shop?trustServerCertificate=true",
      /its host is not this machine/,
    ],
    [
      "strict encryption with a certificate that nobody verifies",
      "mssql://sa:secret@127.0.0.1:PORT/shop?encrypt=strict&trustServerCertificate=true",
      /encrypt=strict/,
    ],
    [
      "a an unknown parameter",
      "mssql://sa:secret@127.0.0.1:PORT/shop?encrypted=true",
      /only encrypt and trustServerCertificate are known/,
    ],
  ])("with %s is refused before anything is connected", async (_, address, words) => {
    database.reach(address.replace("PORT", String(database.server.port)));
    const { exitCode, reason } = await refusal(database, GOALS);
    expect(exitCode).toBe(2);
    expect(reason).toMatch(words);
    expect(reason).not.toMatch(/secret|50%off/);
    expect(database.server.connections).toBe(0);
  });

  it("may be IPv6's: it is reached, not looked up as a name", async () => {
    const at = (port: number): string => `mssql://sa:secret@[::1]:${port}/shop?trustServerCertificate=true`;
    const way = await gateway("::1", 0, database.server.port).catch(() => null);
    if (way !== null) {
      database.reach(at((way.address() as AddressInfo).port));
      expect(await database.run(GOALS)).toMatchObject({ exitCode: 0 });
      way.close();
      return;
    }
    console.warn("there is no IPv6 on this machine: only the failure is looked at");
    database.reach(at(1));
    const running = database.start(GOALS);
    await until(() => running.said().includes("retrying in"), "a first failure");
    expect(running.said()).toContain("::1");
  });
});
