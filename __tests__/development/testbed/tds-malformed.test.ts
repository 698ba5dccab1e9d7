/** What is no TDS, or no request that is known, ends a connection and not the server. */
import { once } from "node:events";
import { connect as connectTo, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import * as fc from "fast-check";
import { Connection, TYPES } from "tedious";
import { MalformedTds } from "../../../development/testbed/tds-server/bytes";
import { MessageReader, packets, PacketType } from "../../../development/testbed/tds-server/packets";
import { preloginAnswer } from "../../../development/testbed/tds-server/prelogin";
import { connect, endAll, PASSWORD, run, serve } from "./tds-client";

afterEach(endAll);

describe("what is no TDS", () => {
  const prelogin = packets(PacketType.prelogin, preloginAnswer("notSupported", true))[0]!;
  const request = (type: number, body: Buffer): Buffer =>
    packets(type, Buffer.concat([ALL_HEADERS, body]))[0]!;
  const ALL_HEADERS = Buffer.from([4, 0, 0, 0]);

  /** @returns once the server has closed the connection; what comes second waits for an answer to the first. */
  async function send(port: number, [first, ...more]: readonly Buffer[]): Promise<void> {
    const socket = connectTo(port, "127.0.0.1");
    socket.on("error", () => undefined);
    if (more.length === 0) socket.end(first!).resume();
    else {
      socket.write(first!);
      socket.once("data", () => socket.end(Buffer.concat(more)));
    }
    await once(socket, "close");
  }

  test("closes that connection only, whatever it is", async () => {
    const served = await serve(() => [], { encryption: "notSupported" });
    const login = packets(PacketType.login7, await recordedLogin())[0]!;
    const anything = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    const message = fc
      .tuple(fc.constantFrom(...Object.values(PacketType)), anything)
      .map(([type, body]) => packets(type, body)[0]!);
    const call = anything.map((body) => request(PacketType.rpc, body));
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.tuple(anything),
          fc.tuple(fc.constant(prelogin), message),
          fc.tuple(fc.constant(prelogin), fc.constant(login), fc.oneof(message, call)),
        ),
        (parts) => send(served.server.port, parts),
      ),
      { numRuns: 200 },
    );
    await expect(run(await connect(served, { encrypt: false }), "execSqlBatch", "x")).resolves.toBeDefined();
    expect(served.server.faults.splice(0).every((fault) => fault instanceof MalformedTds)).toBe(true);
    expect(served.logins.length).toBeGreaterThan(1);
  });

  /** What tedious sends as LOGIN7. */
  async function recordedLogin(): Promise<Buffer> {
    let recorded: Buffer = Buffer.alloc(0);
    const listener = createServer((socket) => {
      const reader = new MessageReader();
      socket.on("error", () => undefined);
      socket.on("data", (chunk: Buffer) => {
        for (const { type, data } of reader.take(chunk)) {
          if (type === PacketType.login7) recorded = data;
          if (type === PacketType.login7) socket.destroy();
          else socket.write(packets(PacketType.response, preloginAnswer("notSupported", true))[0]!);
        }
      });
    });
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    const connection = new Connection({
      server: "127.0.0.1",
      authentication: PASSWORD,
      options: { port: (listener.address() as AddressInfo).port, encrypt: false },
    });
    await new Promise<void>((resolve) => connection.connect(() => resolve()));
    listener.close();
    return recorded;
  }

  test("an unknown procedure or parameter type is a fault that names it", async () => {
    const served = await serve();
    const connection = await connect(served);
    const failed = run(connection, "execSql", "SELECT @day", (asked) =>
      asked.addParameter("day", TYPES.Date, new Date(0)),
    );
    await expect(failed).rejects.toThrow();
    expect(served.server.faults.splice(0).map(String)).toEqual([
      "MalformedTds: the parameter 'day' has the type 0x28, which is not known",
    ]);
  });

  test("a session that fails is a fault, and ends the connection", async () => {
    const served = await serve(() => Promise.reject(new Error("no such table in this test")));
    await expect(run(await connect(served), "execSqlBatch", "x")).rejects.toThrow();
    expect(served.server.faults.splice(0).map(String)).toEqual(["Error: no such table in this test"]);
  });
});
