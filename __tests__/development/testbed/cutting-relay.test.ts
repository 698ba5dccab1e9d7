/** The relay cuts a connection exactly where a test wants it, and a run that is repeated has the same boundaries. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import * as fc from "fast-check";
import { Client } from "pg";
import { Connection, Request } from "tedious";
import { CuttingRelay } from "../../../development/testbed/cutting-relay";
import type { CutKind, CuttingRelayOptions } from "../../../development/testbed/cutting-relay";
import { Framing } from "../../../development/testbed/framing";
import { until } from "../../../development/testbed/processes";
import { selfSignedCertificate } from "../../../development/testbed/tds-server/certificate";
import { TdsServer } from "../../../development/testbed/tds-server/server";
import type { TdsServerOptions } from "../../../development/testbed/tds-server/server";
import { DatabaseServer } from "../../on-server/migrate/migrator";
import type { TestDatabase } from "../../on-server/migrate/migrator";
import { reset } from "../../../development/testbed/reset";

const started: { close(): unknown }[] = [];
const CUTS = ["rst", "fin", "silence"] as const;

afterEach(async () => {
  for (const server of started.splice(0).reverse()) await server.close();
});

async function relayTo(
  port: number,
  options: Omit<CuttingRelayOptions, "target"> = {},
): Promise<CuttingRelay> {
  const relay = await CuttingRelay.start({ target: { host: "127.0.0.1", port }, ...options });
  started.push(relay);
  return relay;
}

/** One side of a connection, and what became of it. */
interface Side {
  readonly socket: Socket;
  received(): string;
  /** `FIN`, or the error's code. */
  ended(): string | null;
}

function watch(socket: Socket): Side {
  let received = "";
  let ended: string | null = null;
  socket.on("data", (data: Buffer) => (received += data.toString("latin1")));
  socket.on("end", () => (ended ??= "FIN"));
  socket.on("error", (error: NodeJS.ErrnoException) => (ended ??= error.code ?? error.message));
  return { socket, received: () => received, ended: () => ended };
}

/** A client and a server that talk through a relay in the bytes that a test gives them. */
async function pair(options: Omit<CuttingRelayOptions, "target"> = {}): Promise<{
  relay: CuttingRelay;
  client: () => Promise<Side>;
  servers: Side[];
}> {
  const servers: Side[] = [];
  const listener = createServer({ allowHalfOpen: true }, (socket) => servers.push(watch(socket)));
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  started.push({
    close: () => {
      for (const { socket } of servers) socket.destroy();
      listener.close();
    },
  });
  const relay = await relayTo((listener.address() as AddressInfo).port, options);
  return {
    relay,
    servers,
    client: async () => {
      const before = servers.length;
      const side = watch(connect({ port: relay.port, host: "127.0.0.1", allowHalfOpen: true }));
      started.push({ close: () => side.socket.destroy() });
      if (relay.isCut || options.cutAfter === 0) return side;
      await until(() => servers.length > before, "the server has the connection");
      return side;
    },
  };
}

/** A packet of TDS: 8 bytes of header, of which the third and fourth are the length. */
function tds(type: number, body: string): Buffer {
  return Buffer.concat([Buffer.from([type, 1, 0, 8 + body.length, 0, 0, 1, 0]), Buffer.from(body)]);
}

describe("a cut", () => {
  test.each(CUTS)("by %s after a unit: that one arrives whole, and nothing after it", async (how) => {
    const { client, servers, relay } = await pair({ cutAfter: 2, how });
    const { socket, ended } = await client();
    const server = servers[0]!;
    socket.write(Buffer.concat([tds(0x12, "one"), tds(0x10, "two"), tds(1, "three")]));
    await until(() => server.received().includes("two"), "the second unit has arrived");
    const whole = Buffer.concat([tds(0x12, "one"), tds(0x10, "two")]).toString("latin1");
    expect(server.received()).toBe(whole);
    if (how === "silence") {
      server.socket.write("lost");
      // What the relay swallows never arrives; that it read it is all there is to wait for.
      socket.write("lost, too");
      socket.end();
      await until(() => ended() === "FIN", "the relay has taken what the client sent, up to its end");
      expect(server.ended()).toBe(null);
    } else {
      const word = how === "rst" ? "ECONNRESET" : "FIN";
      await until(() => ended() === word, `the client sees ${word}`);
      await until(() => server.ended() !== null, "the server sees an end");
      if (how === "fin") expect(server.ended()).toBe("FIN");
    }
    expect(server.received()).toBe(whole);
    expect(relay.units.map(({ direction, name }) => `${direction} ${name}`)).toEqual([
      "toServer TDS 18",
      "toServer TDS 16",
    ]);
  });

  test("after an answer's unit: the client has it whole", async () => {
    const { client, servers } = await pair({ cutAfter: 2 });
    const { socket, received, ended } = await client();
    socket.write(tds(0x12, "one"));
    await until(() => servers[0]!.received() !== "", "the question has arrived");
    servers[0]!.socket.write(Buffer.concat([tds(4, "answer"), tds(4, "more")]));
    await until(() => ended() !== null, "the client sees the cut");
    expect(received()).toBe(tds(4, "answer").toString("latin1"));
  });

  test("after a byte, within a unit", async () => {
    const { client, servers, relay } = await pair({ cutAfterBytes: 14, how: "fin" });
    const { socket, ended } = await client();
    socket.write(tds(0x12, "one"));
    socket.write(tds(0x10, "two"));
    await until(() => ended() === "FIN" && servers[0]!.ended() === "FIN", "both sides see the end");
    expect(servers[0]!.received()).toBe(
      Buffer.concat([tds(0x12, "one"), tds(0x10, "two")])
        .subarray(0, 14)
        .toString("latin1"),
    );
    expect([relay.boundaries, relay.relayedBytes]).toEqual([1, 14]);
  });

  test("before the first unit", async () => {
    const { client, relay } = await pair({ cutAfter: 0 });
    const { socket, ended } = await client();
    socket.write("x");
    await until(() => ended() === "ECONNRESET", "the client sees the cut");
    expect(relay.boundaries).toBe(0);
  });

  test.each([
    ["all", "ECONNRESET"],
    ["connection", null],
  ] as const)("counts over all connections; with the scope '%s' the others see %s", async (scope, seen) => {
    const { client, servers, relay } = await pair({ cutAfter: 2, scope });
    const [one, two] = [await client(), await client()];
    one.socket.write(tds(0x12, "a"));
    await until(() => relay.boundaries === 1, "the first one has been counted");
    two.socket.write(tds(0x12, "b"));
    await until(() => two.ended() === "ECONNRESET", "the counted connection is cut");
    one.socket.write(tds(1, "still there?"));
    if (seen === null) await until(() => servers[0]!.received().includes("there"), "the other one goes on");
    else await until(() => one.ended() === seen, "the other one is cut");
  });

  test("later connections work, are refused, or are silent", async () => {
    for (const later of ["work", "refuse", "silence"] as const) {
      const { client, servers, relay } = await pair({ cutAfter: 1, later });
      const first = await client();
      first.socket.write(tds(0x12, "a"));
      await until(() => first.ended() === "ECONNRESET", "the first one is cut");
      const second = await client();
      second.socket.write(tds(0x12, "b"));
      if (later === "refuse") await until(() => second.ended() === "ECONNREFUSED", "it is refused");
      if (later === "work") {
        await until(() => servers[1]?.received().includes("b") === true, "it works");
      }
      if (later === "silence") {
        second.socket.end();
        await until(() => second.ended() === "FIN", "the relay took all of it");
        expect(servers[1]?.received() ?? "").toBe("");
      }
      expect(relay.isCut).toBe(true);
    }
  });

  test("by hand, and what one side ends, the other one sees", async () => {
    const { client, servers, relay } = await pair();
    const [one, two, three] = [await client(), await client(), await client()];
    one.socket.end();
    await until(() => servers[0]!.ended() === "FIN", "an end is passed on");
    reset(two.socket);
    await until(() => servers[1]!.ended() === "ECONNRESET", "a reset is passed on");
    relay.cut("rst");
    await until(() => three.ended() === "ECONNRESET", "the rest is cut");
  });

  test("a slow line takes its time", async () => {
    const { client, servers } = await pair({ bytesPerMs: 1 });
    const { socket } = await client();
    const from = performance.now();
    socket.write(tds(0x12, "x".repeat(192)));
    await until(() => servers[0]!.received().length === 200, "all has arrived");
    expect(performance.now() - from).toBeGreaterThan(190);
  });
});

test("units are the same however the network cuts the bytes", () => {
  const conversation = Buffer.concat([
    tds(0x12, "prelogin"),
    tds(0x12, ""),
    Buffer.from([0x17, 3, 3, 0, 3, 1, 2, 3]),
    Buffer.from([0x15, 3, 3, 0, 0]),
    tds(1, "batch"),
  ]);
  const names = ["TDS 18", "TDS 18", "TLS 23", "TLS 21", "TDS 1"];
  fc.assert(
    fc.property(fc.array(fc.nat(conversation.length)), (cuts) => {
      const at = [0, ...cuts.sort((one, other) => one - other), conversation.length];
      const framing = new Framing();
      const pieces = at.slice(1).flatMap((end, index) => {
        return framing.split("toServer", conversation.subarray(at[index], end));
      });
      expect(pieces.map(({ ends }) => ends).filter((name) => name !== null)).toEqual(names);
      expect(Buffer.concat(pieces.map(({ bytes }) => bytes))).toEqual(conversation);
    }),
  );
});

describe("a conversation of tedious", () => {
  const CERTIFICATE = selfSignedCertificate();

  async function serve(options: Partial<TdsServerOptions>): Promise<TdsServer> {
    const session = { request: () => Promise.resolve([{ rowCount: 1 }]), closed: () => undefined };
    const server = await TdsServer.start({ certificate: CERTIFICATE, session: () => session, ...options });
    started.push(server);
    return server;
  }

  /** Logs in, runs two batches, leaves. */
  async function talk(relay: CuttingRelay, encrypt: boolean | "strict"): Promise<void> {
    const connection = new Connection({
      server: "localhost",
      authentication: { type: "default", options: { userName: "sa", password: "secret" } },
      options: { port: relay.port, encrypt, cryptoCredentialsDetails: { ca: CERTIFICATE.certificate } },
    });
    connection.on("error", () => undefined);
    try {
      await new Promise<void>((resolve, reject) => {
        connection.connect((error) => (error ? reject(error) : resolve()));
      });
      for (let batch = 0; batch < 2; batch += 1) {
        await new Promise<void>((resolve, reject) => {
          connection.execSqlBatch(new Request("x", (error) => (error ? reject(error) : resolve())));
        });
      }
    } finally {
      connection.close();
    }
  }

  test.each([
    ["not encrypted", false, { encryption: "notSupported" }],
    ["encrypted after PRELOGIN", true, {}],
    ["strictly encrypted", "strict", { strict: true }],
  ] as const)("%s: cut at each boundary it fails, and only then", async (_, encrypt, options) => {
    const server = await serve(options);
    const names = async (): Promise<string[]> => {
      const relay = await relayTo(server.port);
      await talk(relay, encrypt);
      return relay.units.map(({ direction, name }) => `${direction} ${name}`);
    };
    const whole = await names();
    expect(whole.length).toBeGreaterThanOrEqual(2 + 2 + 2 + 4);
    expect(whole[0]).toBe(encrypt === "strict" ? "toServer TLS 22" : "toServer TDS 18");
    // tedious leaves without a word, or with an alert of TLS that may come too late to be counted.
    const talked = (units: string[]): string[] => units.filter((name) => !name.endsWith("TLS 21"));
    expect(talked(await names())).toEqual(talked(whole));
    const count = talked(whole).length;
    for (let k = 0; k < count; k += 1) {
      const relay = await relayTo(server.port, { cutAfter: k, how: k % 2 === 0 ? "rst" : "fin" });
      await expect(talk(relay, encrypt)).rejects.toThrow();
      expect(relay.boundaries).toBe(k);
    }
  });
});

describe("a conversation with PostgreSQL", () => {
  let server: DatabaseServer;
  let database: TestDatabase;
  beforeAll(async () => {
    server = await DatabaseServer.start();
    database = await server.newDatabase();
  });
  afterAll(async () => {
    await database.close();
    server.stop();
  });

  async function talk(relay: CuttingRelay): Promise<void> {
    const url = new URL(database.url);
    url.host = `127.0.0.1:${relay.port}`;
    const client = new Client({ connectionString: url.href });
    client.on("error", () => undefined);
    await client.connect();
    try {
      await client.query("SELECT 1");
      await client.query("SELECT $1::int", [2]);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  test("cut at each boundary fails, and only then", async () => {
    const port = Number(new URL(database.url).port);
    const names = async (): Promise<string[]> => {
      const relay = await relayTo(port);
      await talk(relay);
      await until(() => relay.units.at(-1)?.name === "PostgreSQL X", "the client's goodbye is relayed");
      return relay.units.map(({ direction, name }) => `${direction} ${name}`);
    };
    const whole = await names();
    expect(whole[0]).toBe("toServer PostgreSQL startup");
    expect(whole).toContain("toServer PostgreSQL Q");
    expect(whole.filter((name) => name === "toClient PostgreSQL Z").length).toBe(3);
    expect(await names()).toEqual(whole);
    const answered = whole.lastIndexOf("toClient PostgreSQL Z") + 1;
    for (let k = 0; k < answered; k += 1) {
      const how: CutKind = k % 2 === 0 ? "rst" : "fin";
      const relay = await relayTo(port, { cutAfter: k, how });
      await expect(talk(relay)).rejects.toThrow();
      expect(relay.boundaries).toBe(k);
    }
    const relay = await relayTo(port, { cutAfter: answered });
    await talk(relay);
  });
});
