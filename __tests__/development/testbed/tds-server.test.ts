/** The TDS server for tests answers tedious, the driver that the migrator uses, as SQL Server would. */
import { TYPES } from "tedious";
import type { Connection } from "tedious";
import { until } from "../../../development/testbed/processes";
import type { TdsServerOptions } from "../../../development/testbed/tds-server/server";
import { connect, endAll, run, serve } from "./tds-client";

afterEach(endAll);

const transaction = (connection: Connection, which: "begin" | "commit" | "rollback"): Promise<void> =>
  new Promise((resolve, reject) => {
    const ended = (error: Error | null | undefined): void => (error ? reject(error) : resolve());
    if (which === "begin") connection.beginTransaction(ended);
    else if (which === "commit") connection.commitTransaction(ended);
    else connection.rollbackTransaction(ended);
  });

const caught = (promise: Promise<unknown>): Promise<Error & { errors?: Error[] }> =>
  promise.then(
    () => Promise.reject(new Error("it succeeded")),
    (error: Error) => error,
  );

describe("login", () => {
  test.each([
    ["required", true, "afterPrelogin"],
    ["on", true, "afterPrelogin"],
    ["off", false, "none"],
    ["notSupported", false, "none"],
  ] as const)("with the PRELOGIN answer %s is encrypted: %s", async (encryption, encrypted, kind) => {
    const served = await serve(() => [], { encryption });
    await connect(served, { encrypt: encrypted });
    expect(served.logins).toMatchObject([
      { user: "sa", password: "pä$$ ✓", database: "shop", applicationName: "a test", token: null, encrypted },
    ]);
    expect(served.encryptions).toEqual([kind]);
  });

  test("begins with TLS where client and server speak TDS 8.0", async () => {
    const served = await serve(() => [], { strict: true });
    await connect(served, { encrypt: "strict" });
    expect(served.encryptions).toEqual(["strict"]);
    await connect(served);
    expect(served.encryptions).toEqual(["strict", "afterPrelogin"]);
  });

  test("a ClientHello ends the connection of a server without TDS 8.0", async () => {
    const served = await serve();
    await expect(connect(served, { encrypt: "strict" })).rejects.toThrow("Failed to connect");
    expect(served.logins).toEqual([]);
  });

  test("a client that asks for no encryption is not let in where it is required", async () => {
    const served = await serve();
    await expect(connect(served, { encrypt: false })).rejects.toThrow("requires encryption");
    expect(served.logins).toEqual([]);
  });

  test("takes an access token", async () => {
    const served = await serve();
    const token = "e".repeat(3000);
    await connect(served, {}, { type: "azure-active-directory-access-token", options: { token } });
    expect(served.logins).toMatchObject([{ token, user: "", password: "", encrypted: true }]);
  });

  test("is refused with the server's own words; a passing refusal is asked about again by tedious", async () => {
    let tries = 0;
    const refuse = (number: number, message: string): Partial<TdsServerOptions> => ({
      login: () => {
        tries += 1;
        return [{ number, message, severity: 14 }];
      },
    });
    const wrong = await serve(() => [], refuse(18456, "Login failed for user 'sa'."));
    await expect(connect(wrong)).rejects.toThrow("Login failed for user 'sa'.");
    expect(tries).toBe(1);
    const busy = await serve(() => [], refuse(4060, 'Cannot open database "shop" requested by the login.'));
    await expect(connect(busy)).rejects.toThrow("Cannot open database");
    expect(tries).toBe(1 + 4);
  });

  test("can send the client on to another server", async () => {
    const second = await serve();
    const first = await serve(() => [], {
      redirect: () => ({ server: "localhost", port: second.server.port }),
    });
    await connect(first);
    expect([first.logins.length, second.logins.length]).toEqual([0, 1]);
  });
});

describe("requests", () => {
  test("a batch answers rows of each type, with NULL and text of any length", async () => {
    const columns = [
      { name: "i", type: "int" },
      { name: "b", type: "bigint" },
      { name: "t", type: "nvarchar" },
      { name: "long", type: "nvarchar" },
      { name: "yes", type: "bit" },
    ] as const;
    const long = "ü😀".repeat(20_000);
    const values = [
      [-1, -(2n ** 62n), "", long, true],
      [2 ** 31 - 1, 5, "a", "", 0],
      [null, null, null, null, null],
    ];
    const served = await serve(() => [{ rows: { columns, values } }]);
    const { rows, rowCount } = await run(await connect(served), "execSqlBatch", "SELECT 'ä' -- ✓");
    expect(rows).toEqual([
      [-1, String(-(2n ** 62n)), "", long, true],
      [2 ** 31 - 1, "5", "a", "", false],
      [null, null, null, null, null],
    ]);
    expect(rowCount).toBe(3);
    expect(served.requests).toEqual([
      { kind: "batch", sql: "SELECT 'ä' -- ✓", parameters: {}, procedure: null, reset: false },
    ]);
  });

  test("sp_executesql is given with its statement and parameters", async () => {
    const served = await serve(() => [{ rowCount: 2 }]);
    const sql = `SELECT @text -- ${"long ".repeat(5000)}`;
    const long = "ß".repeat(10_000);
    const { rowCount } = await run(await connect(served), "execSql", sql, (request) => {
      request.addParameter("text", TYPES.NVarChar, "O'Neill ✓");
      request.addParameter("empty", TYPES.NVarChar, "");
      request.addParameter("none", TYPES.NVarChar, null);
      request.addParameter("long", TYPES.NVarChar, long);
      request.addParameter("longNone", TYPES.NVarChar, null, { length: Infinity });
      request.addParameter("number", TYPES.Int, -7);
      request.addParameter("noNumber", TYPES.Int, null);
      request.addParameter("big", TYPES.BigInt, "9007199254740993");
      request.addParameter("yes", TYPES.Bit, true);
      request.addParameter("bytes", TYPES.VarBinary, Buffer.from("01ff", "hex"));
      request.addParameter("ascii", TYPES.VarChar, "abc");
    });
    expect(rowCount).toBe(2);
    expect(served.requests).toMatchObject([
      {
        kind: "rpc",
        sql,
        procedure: null,
        parameters: {
          text: "O'Neill ✓",
          empty: "",
          none: null,
          long,
          longNone: null,
          number: -7,
          noNumber: null,
          big: 9007199254740993n,
          yes: true,
          bytes: "0x01ff",
          ascii: "abc",
        },
      },
    ]);
  });

  test("two errors before one DONE reach tedious as an AggregateError without words", async () => {
    const pair = [
      { number: 5074, message: "The object 'DF_a' is dependent on column 'b'.", line: 3, procedure: "dbo.p" },
      { number: 4922, message: "ALTER TABLE DROP COLUMN b failed.", line: 3 },
    ];
    const served = await serve(() => [{ error: pair }]);
    const connection = await connect(served);
    for (const how of ["execSqlBatch", "execSql"] as const) {
      const error = await caught(run(connection, how, "ALTER TABLE a DROP COLUMN b"));
      expect(error.message).toBe("");
      expect(error.errors).toMatchObject([
        { number: 5074, lineNumber: 3, procName: "dbo.p", message: pair[0]!.message, class: 16, state: 1 },
        { number: 4922, lineNumber: 3, procName: "", message: pair[1]!.message },
      ]);
    }
  });

  test("one error, statements before it, and words on the side", async () => {
    const served = await serve(() => [
      { rowCount: 3 },
      { info: { number: 0, message: "printed" } },
      { done: true },
      { error: { number: 1205, message: "deadlock", severity: 13, state: 45 } },
    ]);
    const connection = await connect(served);
    const heard: string[] = [];
    connection.on("infoMessage", ({ message }) => heard.push(message));
    const counts: (number | undefined)[] = [];
    const error = await caught(
      run(connection, "execSqlBatch", "x", (request) => request.on("done", (count) => counts.push(count))),
    );
    expect(error).toMatchObject({ number: 1205, class: 13, state: 45, lineNumber: 1, message: "deadlock" });
    expect(heard).toEqual(["printed"]);
    expect(counts).toEqual([3, undefined, undefined]);
  });

  test("a transaction begins and ends for the driver as the answers say, whichever way it was asked for", async () => {
    const served = await serve(({ sql }) => {
      if (sql.startsWith("BEGIN")) return [{ envChange: "beginTransaction" }];
      return [{ envChange: sql.startsWith("COMMIT") ? "commit" : "rollback" }];
    });
    const connection = await connect(served);
    const state = connection as unknown as { inTransaction: boolean };
    await run(connection, "execSqlBatch", "BEGIN TRANSACTION");
    expect(state.inTransaction).toBe(true);
    await run(connection, "execSql", "ROLLBACK");
    expect(state.inTransaction).toBe(false);
    await transaction(connection, "begin");
    expect(state.inTransaction).toBe(true);
    await transaction(connection, "commit");
    expect(state.inTransaction).toBe(false);
    await transaction(connection, "begin");
    await transaction(connection, "rollback");
    expect(state.inTransaction).toBe(false);
    expect(served.requests.map(({ kind, sql }) => [kind, sql])).toEqual([
      ["batch", "BEGIN TRANSACTION"],
      ["rpc", "ROLLBACK"],
      ["transaction", "BEGIN TRANSACTION"],
      ["transaction", "COMMIT TRANSACTION"],
      ["transaction", "BEGIN TRANSACTION"],
      ["transaction", "ROLLBACK TRANSACTION"],
    ]);
  });

  test("another database, and a session that is reset", async () => {
    const served = await serve(({ sql }) => (sql.startsWith("USE") ? [{ database: "other" }] : []));
    const connection = await connect(served);
    const changes: string[] = [];
    connection.on("databaseChange", (name) => changes.push(name));
    await run(connection, "execSqlBatch", "USE other");
    expect(changes).toEqual(["other"]);
    await new Promise<void>((resolve, reject) =>
      connection.reset((error) => (error ? reject(error) : resolve())),
    );
    await run(connection, "execSqlBatch", "SELECT 1");
    expect(served.requests.map(({ reset }) => reset)).toEqual([false, true, false]);
  });

  test("an attention ends what is running, and the connection goes on", async () => {
    let began = false;
    const served = await serve(({ sql }, cancelled) => {
      if (sql !== "WAITFOR") return [{ rowCount: 1 }];
      began = true;
      return new Promise((resolve) => cancelled.addEventListener("abort", () => resolve([])));
    });
    const connection = await connect(served, { cancelTimeout: 60_000 });
    const waiting = caught(run(connection, "execSqlBatch", "WAITFOR"));
    await until(() => began, "the request has begun");
    connection.cancel();
    await expect(waiting).resolves.toMatchObject({ code: "ECANCEL" });
    await expect(run(connection, "execSqlBatch", "SELECT 1")).resolves.toMatchObject({ rowCount: 1 });
  });
});

describe("an end", () => {
  test.each(["fin", "rst"] as const)("by %s instead of an answer: the request fails", async (disconnect) => {
    const served = await serve(() => [{ disconnect }]);
    const connection = await connect(served);
    await expect(run(connection, "execSqlBatch", "SELECT 1")).rejects.toThrow();
    await until(() => served.closed() === 1, "the session heard of it");
  });

  test("after an answer, which arrives whole", async () => {
    const served = await serve(() => [{ rowCount: 7 }, { disconnect: "fin" }]);
    const connection = await connect(served);
    const ended = new Promise<void>((resolve) => connection.once("end", () => resolve()));
    await expect(run(connection, "execSqlBatch", "SELECT 1")).resolves.toMatchObject({ rowCount: 7 });
    await ended;
    await until(() => served.closed() === 1, "the session heard of it");
  });

  test("of all connections at once, as a killed server's: a session hears of it once, its request is cancelled", async () => {
    let running: AbortSignal | undefined;
    const served = await serve((_request, cancelled) => {
      running = cancelled;
      return new Promise(() => undefined);
    });
    const connection = await connect(served);
    const failed = caught(run(connection, "execSqlBatch", "WAITFOR"));
    await until(() => running !== undefined, "the request has begun");
    served.server.disconnectAll("rst");
    expect((await failed).message).toMatch(/ECONNRESET|Connection/);
    await until(() => served.closed() === 1, "the session heard of it");
    expect(running!.aborted).toBe(true);
    await expect(connect(served)).resolves.toBeDefined();
  });

  test("by the client: the session is closed", async () => {
    const served = await serve();
    (await connect(served)).close();
    await until(() => served.closed() === 1, "the session heard of it");
  });
});
