/** Nothing of a login to SQL Server leaves unencrypted, whatever the server answers; strict encryption where the server has it. */
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { Connection } from "tedious";
import type { ConnectionConfiguration } from "tedious";
import { connectEncrypted } from "../../../on-server/migrate/databases/encrypted-connector";
import { errorText } from "../../../on-server/migrate/databases/error-text";
import type { ServerAddress } from "../../../on-server/migrate/databases/encrypted-connector";
import { EncryptionRefused, GuardedSocket } from "../../../on-server/migrate/databases/prelogin-guard";
import { InvalidInput } from "../../../release/failure";
import { selfSignedCertificate } from "../../../development/testbed/tds-server/certificate";
import { packets, PacketType } from "../../../development/testbed/tds-server/packets";
import { preloginAnswer } from "../../../development/testbed/tds-server/prelogin";
import { TdsServer } from "../../../development/testbed/tds-server/server";
import type { TdsServerOptions } from "../../../development/testbed/tds-server/server";

const CERTIFICATE = selfSignedCertificate();
const PASSWORD = { type: "default", options: { userName: "sa", password: "secret" } } as const;
const TOKEN = { type: "azure-active-directory-access-token", options: { token: "e".repeat(500) } } as const;

interface Served {
  readonly server: TdsServer;
  /** How each login came. */
  readonly logins: string[];
}

const opened: Connection[] = [];
const started: { close(): unknown }[] = [];

afterEach(async () => {
  for (const connection of opened.splice(0)) connection.close();
  for (const server of started.splice(0)) await server.close();
});

async function serve(options: Partial<TdsServerOptions> = {}): Promise<Served> {
  const logins: string[] = [];
  const server = await TdsServer.start({
    certificate: CERTIFICATE,
    session: (_login, { encryption }) => {
      logins.push(encryption);
      return { request: () => Promise.resolve([]), closed: () => undefined };
    },
    ...options,
  });
  started.push(server);
  return { server, logins };
}

/** @param ca what a client trusts; undefined: what the system trusts. */
function driver(
  port: number,
  options: ConnectionConfiguration["options"],
  { ca = CERTIFICATE.certificate, authentication = PASSWORD }: How = {},
): Promise<Connection> {
  const connection = new Connection({
    server: "localhost",
    authentication,
    options: { port, ...(ca === null ? {} : { cryptoCredentialsDetails: { ca } }), ...options },
  });
  opened.push(connection);
  return new Promise((resolve, reject) => {
    connection.on("error", () => undefined);
    connection.connect((error) => (error ? reject(error) : resolve(connection)));
  });
}

interface How {
  readonly ca?: string | null;
  readonly authentication?: typeof PASSWORD | typeof TOKEN;
}

function connect(port: number, how: How & Partial<ServerAddress> = {}): Promise<Connection> {
  const { host = "localhost", trustServerCertificate = false, strictAnswerMs = 5000, ...rest } = how;
  return connectEncrypted({ host, port, trustServerCertificate, strictAnswerMs }, (options) =>
    driver(port, options, rest),
  );
}

/** A server that is none of SQL's. */
async function listen(talk: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    talk(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  started.push({ close: () => (sockets.forEach((socket) => socket.destroy()), server.close()) });
  return (server.address() as AddressInfo).port;
}

describe("a server that does not encrypt", () => {
  test.each([
    ["notSupported", "password", PASSWORD],
    ["notSupported", "token", TOKEN],
    ["off", "password", PASSWORD],
    ["off", "token", TOKEN],
  ] as const)(
    "with the answer %s is not sent a %s, which the driver alone would send",
    async (encryption, _, authentication) => {
      const { server, logins } = await serve({ encryption });
      const refused = connect(server.port, { authentication });
      await expect(refused).rejects.toThrow(EncryptionRefused);
      await expect(refused).rejects.toThrow(
        new RegExp(`^localhost:${server.port} does not encrypt \\(.*\\): nothing of the login was sent$`),
      );
      expect(logins).toEqual([]);
      await driver(server.port, { encrypt: true }, { authentication });
      expect(logins).toEqual(["none"]);
    },
  );

  test("after PRELOGIN may have strict encryption, which is taken", async () => {
    const { server, logins } = await serve({ encryption: "notSupported", strict: true });
    await connect(server.port);
    expect(logins).toEqual(["strict"]);
  });
});

describe("encryption", () => {
  test.each([PASSWORD, TOKEN])(
    "is agreed on after PRELOGIN with a server from before TDS 8.0: $type",
    async (authentication) => {
      const { server, logins } = await serve();
      await connect(server.port, { authentication });
      expect(logins).toEqual(["afterPrelogin"]);
    },
  );

  test("is strict where the server has it, for a password and for a token", async () => {
    const { server, logins } = await serve({ strict: true });
    await connect(server.port);
    await connect(server.port, { authentication: TOKEN });
    expect(logins).toEqual(["strict", "strict"]);
  });

  test("a server is asked once whether it has strict encryption", async () => {
    for (const strict of [true, false]) {
      const { server } = await serve({ strict });
      for (let times = 0; times < 3; times += 1) await connect(server.port);
      expect(server.connections).toBe(1 + 3);
    }
  });

  test("a server known to be strict is not spoken to otherwise when it stops being so", async () => {
    const first = await serve({ strict: true });
    await connect(first.server.port);
    for (const connection of opened.splice(0)) connection.close();
    await first.server.close();
    const second = await serve({ port: first.server.port });
    await expect(connect(second.server.port)).rejects.toThrow("Failed to connect");
    expect(second.logins).toEqual([]);
  });

  test("a server that is silent when asked is reached the other way", async () => {
    const { server, logins } = await serve();
    const { Socket: Plain } = await import("node:net");
    const port = await listen((socket) => {
      socket.once("data", (first: Buffer) => {
        if (first[0] === 0x16) return;
        const on = new Plain().connect(server.port, "127.0.0.1");
        on.on("error", () => undefined);
        on.write(first);
        socket.pipe(on).pipe(socket);
      });
    });
    await connect(port, { strictAnswerMs: 50 });
    expect(logins).toEqual(["afterPrelogin"]);
  });

  test.each([true, false])(
    "a certificate that the client does not trust is refused (strict: %s)",
    async (strict) => {
      const { server, logins } = await serve({ strict });
      await expect(connect(server.port, { ca: null })).rejects.toThrow("self-signed certificate");
      expect(logins).toEqual([]);
    },
  );

  test.each([true, false])(
    "... unless this machine's own server is to be trusted (strict: %s)",
    async (strict) => {
      const { server, logins } = await serve({ strict });
      await connect(server.port, { ca: null, trustServerCertificate: true });
      expect(logins).toEqual(["afterPrelogin"]);
    },
  );

  test("where the environment makes Node verify nothing, the way is taken on which tedious verifies all the same", async () => {
    const { server, logins } = await serve({ strict: true });
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      await connect(server.port);
    } finally {
      delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    }
    expect(logins).toEqual(["afterPrelogin"]);
  });

  test("a server on another machine has to show a certificate that can be verified", async () => {
    for (const host of ["db.example.com", "10.0.0.1", "localhost.example.com", "127.example.com"]) {
      await expect(connect(1433, { host, trustServerCertificate: true })).rejects.toThrow(InvalidInput);
    }
  });

  test("a client that is sent on is encrypted there, too", async () => {
    for (const strict of [true, false]) {
      const target = await serve({ strict });
      const gateway = await serve({
        strict,
        redirect: () => ({ server: "localhost", port: target.server.port }),
      });
      await connect(gateway.server.port);
      expect(target.logins).toEqual(["afterPrelogin"]);
      const naked = await serve({ encryption: "off" });
      const bad = await serve({ strict, redirect: () => ({ server: "localhost", port: naked.server.port }) });
      await expect(connect(bad.server.port)).rejects.toThrow(
        `localhost:${naked.server.port} does not encrypt`,
      );
      expect(naked.logins).toEqual([]);
    }
  });
});

describe("what cannot work says why in one line", () => {
  test("nothing listens", async () => {
    const { server } = await serve();
    await server.close();
    await expect(connect(server.port)).rejects.toThrow(
      new RegExp(
        `^localhost:${server.port} cannot be reached: .*ECONNREFUSED 127\\.0\\.0\\.1:${server.port}`,
      ),
    );
  });

  test("another service listens", async () => {
    const port = await listen(
      (socket) => void socket.on("data", () => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")),
    );
    await expect(connect(port)).rejects.toThrow("does not answer like a SQL Server");
  });

  test("the connection ends instead of an answer", async () => {
    const port = await listen((socket) => void socket.on("data", () => socket.end()));
    await expect(connect(port)).rejects.toThrow("ended the connection instead of answering PRELOGIN");
  });

  test("an error brings the words of all that caused it, and nothing twice", () => {
    const parts = [new Error("connect ECONNREFUSED ::1"), new Error("connect\n ECONNREFUSED 127.0.0.1")];
    const cause = new AggregateError(parts);
    expect(errorText(new Error("lost - connect ECONNREFUSED ::1", { cause }))).toBe(
      "lost - connect ECONNREFUSED ::1: connect ECONNREFUSED 127.0.0.1",
    );
  });
});

describe("the guarded socket", () => {
  const PRELOGIN = packets(PacketType.prelogin, Buffer.alloc(20))[0]!;
  const LOGIN = packets(PacketType.login7, Buffer.from("secret"))[0]!;
  const RECORD = Buffer.from([0x17, 3, 3, 0, 2, 7, 7]);

  /** @returns what arrived when all of these chunks were written, and what the socket ended with. */
  async function send(chunks: readonly Buffer[]): Promise<{ arrived: Buffer; ended: Error | null }> {
    let arrived = Buffer.alloc(0);
    const done = new Promise<void>((resolve) => {
      void listen((socket) => {
        socket.on("data", (data: Buffer) => (arrived = Buffer.concat([arrived, data])));
        socket.once("data", () =>
          socket.write(packets(PacketType.response, preloginAnswer("required", false))[0]!),
        );
        socket.on("close", () => resolve());
        socket.on("end", () => socket.end());
      }).then((port) => socket.connect(port, "127.0.0.1"));
    });
    const socket = new GuardedSocket("the server");
    let ended: Error | null = null;
    socket.on("error", (error) => (ended = error));
    await once(socket, "connect");
    socket.write(PRELOGIN);
    await once(socket, "data");
    for (const chunk of chunks) socket.write(chunk);
    socket.end();
    await done;
    return { arrived: arrived.subarray(PRELOGIN.length), ended };
  }

  const bytes = (data: Buffer): Buffer[] => [...data].map((byte) => Buffer.from([byte]));

  test("lets PRELOGIN and TLS records out, however they are cut", async () => {
    const all = Buffer.concat([PRELOGIN, RECORD, PRELOGIN, RECORD, RECORD]);
    for (const chunks of [[all], bytes(all), [all.subarray(0, 11), all.subarray(11)]]) {
      await expect(send(chunks)).resolves.toEqual({ arrived: all, ended: null });
    }
  });

  test("lets a login out neither alone nor behind or between what may leave", async () => {
    const all = Buffer.concat([RECORD, LOGIN]);
    for (const chunks of [[LOGIN], [all], [RECORD, LOGIN, RECORD], bytes(all), [Buffer.from([0x17, 0x10])]]) {
      const { arrived, ended } = await send(chunks);
      expect(ended).toBeInstanceOf(EncryptionRefused);
      expect(arrived.includes("secret")).toBe(false);
      expect(arrived.includes(LOGIN.subarray(0, 1))).toBe(false);
    }
  });
});
