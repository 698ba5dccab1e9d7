/**
 * Connects tedious to SQL Server so that a login's password or access token is never sent unencrypted: with strict
 * encryption (TDS 8.0, TLS from the first byte) if the server has it, otherwise with TLS after PRELOGIN on a guarded
 * socket. The certificate is verified in both cases. Blocking the strict attempt only leads to the second one.
 */
import { isIP, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ConnectionOptions } from "tedious";
import { InvalidInput } from "../../../release/failure";
import { isThisMachine } from "../../../release/this-machine";
import { errorText, causes } from "./error-text";
import { EncryptionRefused, GuardedSocket } from "./prelogin-guard";

/** The options of tedious for the connection; the caller adds database, login and times. */
export type EncryptionOptions = Required<
  Pick<ConnectionOptions, "encrypt" | "trustServerCertificate" | "connector">
>;

export interface ServerAddress {
  /** A name or an address; an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Accepts a self-signed certificate: for a server on this machine only. */
  readonly trustServerCertificate: boolean;
  /** `strict`: TDS 8.0, or no connection. @default "required": TDS 8.0 if the server has it */
  readonly encryption?: "required" | "strict";
  /**
   * The time limit for the check whether a server has strict encryption: a server before 2022 may wait for the rest of
   * what it reads as a packet. Checked once for each server.
   * @default 5000
   */
  readonly strictAnswerMs?: number;
}

const TDS_8 = "tds/8.0";
const STRICT_ANSWER_MS = 5_000;
const REACHED_MS = 30_000;
const KEEP_ALIVE_MS = 30_000;

/** Whether each server has strict encryption, for as long as this program runs. */
const strictServers = new Map<string, boolean>();

/**
 * Opens a connection that is encrypted before the login is sent.
 *
 * @param open connects with these options added to the caller's. It is called again, without strict encryption, if the
 *   server redirects the client (Azure SQL does): with it, tedious 19 verifies the second server's certificate against
 *   the first one's name.
 * @throws InvalidInput if an unverified certificate of another machine would be accepted; EncryptionRefused if the server
 *   does not encrypt as the address requires; otherwise what `open` throws.
 */
export async function connectEncrypted<T>(
  address: ServerAddress,
  open: (options: EncryptionOptions) => Promise<T>,
): Promise<T> {
  const { host, trustServerCertificate, encryption = "required" } = address;
  if (trustServerCertificate && !isThisMachine(host)) {
    throw new InvalidInput(
      `trustServerCertificate is for a server on this machine, and ${host} is another one: give it a certificate that can be verified`,
    );
  }
  const where = `${host}:${address.port}`;
  // TDS 8.0 always verifies the certificate, but tedious' strict mode does not with NODE_TLS_REJECT_UNAUTHORIZED=0.
  const verifies = !trustServerCertificate && process.env["NODE_TLS_REJECT_UNAUTHORIZED"] !== "0";
  if (verifies && (strictServers.get(where) ?? (await supportsTds8(address)))) {
    strictServers.set(where, true);
    try {
      return await open({ encrypt: "strict", trustServerCertificate, connector: strictConnector(address) });
    } catch (error) {
      const redirect = causes(error).find((cause) => cause instanceof Redirected);
      if (redirect === undefined) throw error;
      if (encryption === "strict")
        throw new EncryptionRefused(`${redirect.message}, which encrypt=strict does not follow`);
    }
  }
  if (encryption === "strict") {
    throw new EncryptionRefused(
      `${where} has no strict encryption (TDS 8.0, SQL Server 2022 and newer), but the address requires it: nothing of the login was sent`,
    );
  }
  strictServers.set(where, false);
  try {
    return await open({ encrypt: true, trustServerCertificate, connector: guardedConnector(address) });
  } catch (error) {
    // tedious reports this as a lost connection.
    throw causes(error).find((cause) => cause instanceof EncryptionRefused) ?? error;
  }
}

/** The server redirects the client, which strict encryption cannot follow. */
class Redirected extends Error {
  override readonly name = "Redirected";
}

/** What tedious passes to a connector; its types lack it. */
interface Target {
  readonly host: string;
  readonly port: number;
}
type Connector = (target?: Target, lookup?: unknown, signal?: AbortSignal) => Promise<Socket>;

/** tedious starts TLS on this socket before it sends anything. */
function strictConnector(address: ServerAddress): Connector {
  return (target = address, _lookup, signal) => {
    if (target.host === address.host && target.port === address.port) {
      return openSocket(new Socket(), target, signal);
    }
    return Promise.reject(new Redirected(`${address.host} redirects to ${target.host}`));
  };
}

function guardedConnector({ host, port, trustServerCertificate }: ServerAddress): Connector {
  return (target = { host, port }, _lookup, signal) => {
    if (trustServerCertificate && !isThisMachine(target.host)) {
      return Promise.reject(
        new InvalidInput(`${host} redirects to ${target.host}, whose certificate has to be verified`),
      );
    }
    return openSocket(new GuardedSocket(`${target.host}:${target.port}`), target, signal);
  };
}

/** Tries all addresses of the host, the next one after a quarter of a second (RFC 8305). */
function openSocket<S extends Socket>(socket: S, { host, port }: Target, signal?: AbortSignal): Promise<S> {
  return new Promise((resolve, reject) => {
    const stop = (): void => fail(signal!.reason);
    const fail = (error: unknown): void => {
      signal?.removeEventListener("abort", stop);
      socket.destroy();
      reject(signal?.aborted === true ? error : new Error(errorText(error), { cause: error }));
    };
    if (signal?.aborted === true) return stop();
    signal?.addEventListener("abort", stop, { once: true });
    socket.once("error", fail);
    socket.once("connect", () => {
      signal?.removeEventListener("abort", stop);
      socket.removeListener("error", fail);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      resolve(socket);
    });
    socket.connect({ host, port, autoSelectFamily: true });
  });
}

/**
 * Checks with a handshake only whether a server has TDS 8.0.
 * @returns whether it answered with TLS and chose TDS 8.0; a server before 2022 ends the connection, or is silent.
 * @throws Error if the server cannot be reached at all.
 */
async function supportsTds8({
  strictAnswerMs = STRICT_ANSWER_MS,
  ...target
}: ServerAddress): Promise<boolean> {
  const timeout = AbortSignal.timeout(REACHED_MS);
  const socket = await openSocket(new Socket(), target, timeout).catch((error: unknown) => {
    const why = timeout.aborted ? `no answer within ${REACHED_MS / 1000} s` : errorText(error);
    throw new Error(`${target.host}:${target.port} cannot be reached: ${why}`, { cause: error });
  });
  return new Promise((resolve) => {
    const tls = connectTls({
      socket,
      host: target.host,
      servername: isIP(target.host) === 0 ? target.host : "",
      ALPNProtocols: [TDS_8],
      // No data is sent here. tedious verifies the certificate on the connection that sends the login.
      rejectUnauthorized: false,
    });
    const answer = (supported: boolean): void => {
      clearTimeout(silent);
      tls.destroy();
      socket.destroy();
      resolve(supported);
    };
    const silent = setTimeout(() => answer(false), strictAnswerMs);
    tls.once("secureConnect", () => answer(tls.alpnProtocol === TDS_8));
    tls.on("error", () => answer(false));
    tls.once("close", () => answer(false));
  });
}
