/**
 * How tedious gets to SQL Server so that nothing of a login, password or access token, is ever sent unencrypted: strict
 * encryption (TDS 8.0, TLS from the first byte) where the server has it, else TLS after PRELOGIN on a guarded socket.
 * The certificate is verified either way. An attacker who cuts the strict try off gets that second way and no less.
 */
import { isIP, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ConnectionOptions } from "tedious";
import { InvalidInput } from "../../../release/failure";
import { isThisMachine } from "../../../release/this-machine";
import { allWords, causes } from "./error-words";
import { EncryptionRefused, GuardedSocket } from "./prelogin-guard";

/** The part of tedious' options that is about how to get there; the caller adds database, login and times. */
export type EncryptionOptions = Required<
  Pick<ConnectionOptions, "encrypt" | "trustServerCertificate" | "connector">
>;

export interface ServerAddress {
  /** A name or an address, an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Takes a certificate that no authority signed: for a server on this machine only. */
  readonly trustServerCertificate: boolean;
  /** `strict`: TDS 8.0, or no connection at all. @default "required": TDS 8.0 where the server has it */
  readonly encryption?: "required" | "strict";
  /**
   * How long a server may take to answer whether it has strict encryption: one of before 2022 may wait for the rest of
   * what it takes for a packet. Asked once for each server.
   * @default 5000
   */
  readonly strictAnswerMs?: number;
}

const TDS_8 = "tds/8.0";
const STRICT_ANSWER_MS = 5_000;
const REACHED_MS = 30_000;
const KEEP_ALIVE_MS = 30_000;

/** What was found out about servers, for as long as this program runs. */
const strictServers = new Map<string, boolean>();

/**
 * Opens a connection, encrypted before anything of the login is sent.
 *
 * @param open connects with these options added to the caller's own. It is called again, without strict encryption, where
 *   the server sends the client on to another one (Azure SQL's redirect): tedious 19 verifies that one's certificate
 *   against the first one's name then.
 * @throws InvalidInput where an unverified certificate is to be taken from another machine; EncryptionRefused where the server
 *   does not encrypt, or not as the address asks for; else what `open` throws.
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
  // TDS 8.0 has no unverified certificates. Where the environment makes Node verify none, tedious' strict mode follows.
  const verifies = !trustServerCertificate && process.env["NODE_TLS_REJECT_UNAUTHORIZED"] !== "0";
  if (verifies && (strictServers.get(where) ?? (await speaksTds8(address)))) {
    strictServers.set(where, true);
    try {
      return await open({ encrypt: "strict", trustServerCertificate, connector: strictConnector(address) });
    } catch (error) {
      const sentOn = causes(error).find((cause) => cause instanceof SentOn);
      if (sentOn === undefined) throw error;
      if (encryption === "strict")
        throw new EncryptionRefused(`${sentOn.message}, which encrypt=strict does not follow`);
    }
  }
  if (encryption === "strict") {
    throw new EncryptionRefused(
      `${where} has no strict encryption (TDS 8.0, SQL Server 2022 and newer), and the address asks for it: nothing of the login was sent`,
    );
  }
  strictServers.set(where, false);
  try {
    return await open({ encrypt: true, trustServerCertificate, connector: guardedConnector(address) });
  } catch (error) {
    // tedious calls this a lost connection.
    throw causes(error).find((cause) => cause instanceof EncryptionRefused) ?? error;
  }
}

/** The server sent the client on, which strict encryption cannot follow. */
class SentOn extends Error {
  override readonly name = "SentOn";
}

/** What tedious hands to a connector; its types leave it out. */
interface Target {
  readonly host: string;
  readonly port: number;
}
type Connector = (target?: Target, lookup?: unknown, signal?: AbortSignal) => Promise<Socket>;

/** tedious puts TLS on this socket before it says anything. */
function strictConnector(address: ServerAddress): Connector {
  return (target = address, _lookup, signal) => {
    if (target.host === address.host && target.port === address.port) {
      return openSocket(new Socket(), target, signal);
    }
    return Promise.reject(new SentOn(`${address.host} sends on to ${target.host}`));
  };
}

function guardedConnector({ host, port, trustServerCertificate }: ServerAddress): Connector {
  return (target = { host, port }, _lookup, signal) => {
    if (trustServerCertificate && !isThisMachine(target.host)) {
      return Promise.reject(
        new InvalidInput(`${host} sends on to ${target.host}, whose certificate has to be verified`),
      );
    }
    return openSocket(new GuardedSocket(`${target.host}:${target.port}`), target, signal);
  };
}

/** All addresses of the host are tried, the next one after a quarter of a second (RFC 8305). */
function openSocket<S extends Socket>(socket: S, { host, port }: Target, signal?: AbortSignal): Promise<S> {
  return new Promise((resolve, reject) => {
    const stop = (): void => fail(signal!.reason);
    const fail = (error: unknown): void => {
      signal?.removeEventListener("abort", stop);
      socket.destroy();
      reject(signal?.aborted === true ? error : new Error(allWords(error), { cause: error }));
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
 * Asks a server for TDS 8.0 with a handshake and nothing else.
 * @returns whether it answered with TLS and chose TDS 8.0; a server of before 2022 ends the connection, or is silent.
 * @throws Error where the server cannot be reached at all.
 */
async function speaksTds8({ strictAnswerMs = STRICT_ANSWER_MS, ...target }: ServerAddress): Promise<boolean> {
  const timeout = AbortSignal.timeout(REACHED_MS);
  const socket = await openSocket(new Socket(), target, timeout).catch((error: unknown) => {
    const why = timeout.aborted ? `no answer within ${REACHED_MS / 1000} s` : allWords(error);
    throw new Error(`${target.host}:${target.port} cannot be reached: ${why}`, { cause: error });
  });
  return new Promise((resolve) => {
    const tls = connectTls({
      socket,
      host: target.host,
      servername: isIP(target.host) === 0 ? target.host : "",
      ALPNProtocols: [TDS_8],
      // Nothing is sent on this connection. tedious verifies the certificate on the one that the login goes through.
      rejectUnauthorized: false,
    });
    const answer = (speaks: boolean): void => {
      clearTimeout(silent);
      tls.destroy();
      socket.destroy();
      resolve(speaks);
    };
    const silent = setTimeout(() => answer(false), strictAnswerMs);
    tls.once("secureConnect", () => answer(tls.alpnProtocol === TDS_8));
    tls.on("error", () => answer(false));
    tls.once("close", () => answer(false));
  });
}
