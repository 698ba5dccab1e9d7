/**
 * A replacement for SQL Server in the migrator's tests: TDS over TLS, transactions, locks, a journal, and faults on demand.
 * It understands only transactions, tables and their rows; it records all other statements. `npm run check:sql-server` runs
 * the same tests on a real one.
 */
import type { ServerCertificate } from "../tds-server/certificate";
import { TdsServer } from "../tds-server/server";
import type { TdsServerOptions } from "../tds-server/server";
import type { SqlError } from "../tds-server/tokens";
import { Data } from "./data";
import { ScriptedSession } from "./session";
import type { Happening, World } from "./session";

export interface ScriptedServerOptions extends Pick<
  TdsServerOptions,
  "encryption" | "strict" | "login" | "port"
> {
  readonly certificate?: ServerCertificate;
}

interface Fault {
  readonly statement: RegExp;
  readonly happening: Happening;
  times: number;
}

export class ScriptedSqlServer {
  /** The encryption of each session so far. */
  readonly encryptions: ("strict" | "afterPrelogin" | "none")[] = [];
  private readonly faults: Fault[] = [];
  private transactions = 0;
  private readonly world: World = {
    data: new Data(),
    databases: new Set(),
    locks: new Map(),
    script: (statement) => Promise.resolve(this.happeningAt(statement)),
    transactionId: () => ++this.transactions,
  };
  private tds!: TdsServer;

  static async start(options: ScriptedServerOptions = {}): Promise<ScriptedSqlServer> {
    const server = new ScriptedSqlServer();
    server.tds = await TdsServer.start({
      ...options,
      session: ({ database }, { encryption }) => {
        server.encryptions.push(encryption);
        return new ScriptedSession(server.world, database);
      },
    });
    return server;
  }

  get port(): number {
    return this.tds.port;
  }

  get connections(): number {
    return this.tds.connections;
  }

  /** PEM. Clients verify the server with it. */
  get certificate(): string {
    return this.tds.certificate;
  }

  get data(): Data {
    return this.world.data;
  }

  /** What no client should have sent; empty in a passing test. */
  get problems(): readonly Error[] {
    return this.tds.faults;
  }

  /** @param database letters. */
  address(database = "shop", port = this.port): string {
    return `mssql://sa:secret@127.0.0.1:${port}/${database}?trustServerCertificate=true`;
  }

  /** The next matching statements fail, with all of these errors before one DONE. */
  fail(statement: RegExp, errors: readonly SqlError[], times = 1): void {
    this.faults.push({ statement, happening: { errors }, times });
  }

  disconnectAt(statement: RegExp, how: "fin" | "rst", times = 1): void {
    this.faults.push({ statement, happening: { disconnect: how }, times });
  }

  disconnectAll(how: "fin" | "rst"): void {
    this.tds.disconnectAll(how);
  }

  close(): Promise<void> {
    return this.tds.close();
  }

  private happeningAt(statement: string): Happening | null {
    const fault = this.faults.find((each) => each.times > 0 && each.statement.test(statement));
    if (fault === undefined) return null;
    fault.times -= 1;
    return fault.happening;
  }
}
