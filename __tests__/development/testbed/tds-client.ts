/** The TDS server for tests with a session that a test scripts, and tedious as its client. */
import { Connection, Request } from "tedious";
import type { ConnectionConfiguration } from "tedious";
import type { Answer } from "../../../development/testbed/tds-server/answers";
import { selfSignedCertificate } from "../../../development/testbed/tds-server/certificate";
import type { TdsLogin } from "../../../development/testbed/tds-server/login7";
import type { TdsRequest } from "../../../development/testbed/tds-server/requests";
import { TdsServer } from "../../../development/testbed/tds-server/server";
import type { TdsServerOptions } from "../../../development/testbed/tds-server/server";

const CERTIFICATE = selfSignedCertificate();

/** What one server was asked, and what became of its sessions. */
export interface Served {
  readonly server: TdsServer;
  readonly logins: TdsLogin[];
  /** Without the SET lines that tedious sends of its own accord after each login. */
  readonly requests: TdsRequest[];
  readonly encryptions: string[];
  closed(): number;
}

type Handler = (
  request: TdsRequest,
  cancelled: AbortSignal,
) => readonly Answer[] | Promise<readonly Answer[]>;

const started: TdsServer[] = [];
const opened: Connection[] = [];

export async function serve(
  handler: Handler = () => [],
  options: Partial<TdsServerOptions> = {},
): Promise<Served> {
  const [logins, requests, encryptions]: [TdsLogin[], TdsRequest[], string[]] = [[], [], []];
  let closed = 0;
  const server = await TdsServer.start({
    certificate: CERTIFICATE,
    session: (login, connection) => {
      logins.push(login);
      encryptions.push(connection.encryption);
      return {
        request: async (request, cancelled) => {
          if (!request.reset && request.sql.startsWith("set ansi_nulls on")) return [];
          requests.push(request);
          return handler(request, cancelled);
        },
        closed: () => void (closed += 1),
      };
    },
    ...options,
  });
  started.push(server);
  return { server, logins, requests, encryptions, closed: () => closed };
}

/** Ends all that a test has opened; a server that met a fault fails the test. */
export async function endAll(): Promise<void> {
  for (const connection of opened.splice(0)) connection.close();
  for (const server of started.splice(0)) {
    await server.close();
    expect(server.faults).toEqual([]);
  }
}

type Options = NonNullable<ConnectionConfiguration["options"]>;
type Authentication = NonNullable<ConnectionConfiguration["authentication"]>;

export const PASSWORD: Authentication = { type: "default", options: { userName: "sa", password: "pä$$ ✓" } };

export async function connect(
  { server }: Served,
  options: Options = {},
  authentication: Authentication = PASSWORD,
): Promise<Connection> {
  const connection = new Connection({
    server: "localhost",
    authentication,
    options: {
      port: server.port,
      database: "shop",
      appName: "a test",
      encrypt: true,
      cryptoCredentialsDetails: { ca: server.certificate },
      connectionRetryInterval: 1,
      ...options,
    },
  });
  opened.push(connection);
  connection.on("error", () => undefined);
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => (error === undefined || error === null ? resolve() : reject(error)));
  });
  return connection;
}

interface Result {
  readonly rows: unknown[][];
  readonly rowCount: number | undefined;
}

export function run(
  connection: Connection,
  how: "execSql" | "execSqlBatch",
  sql: string,
  prepare: (request: Request) => void = () => undefined,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const rows: unknown[][] = [];
    const request = new Request(sql, (error, rowCount) =>
      error === undefined || error === null ? resolve({ rows, rowCount }) : reject(error),
    );
    request.on("row", (columns: { value: unknown }[]) => rows.push(columns.map(({ value }) => value)));
    prepare(request);
    connection[how](request);
  });
}
