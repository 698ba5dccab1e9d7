/** Connections to instances: one attempt is short, and an answer is read even if the instance stops reading. */
import { Socket } from "node:net";
import { CONNECT_MILLISECONDS } from "../../configuration/http-settings";
import type { ProxiedEndpoint } from "./endpoints";

/** No instance could be reached, so nothing was sent. */
export class Unreachable extends Error {}

class InstanceSocket extends Socket {
  override _write(chunk: unknown, encoding: BufferEncoding, written: (error?: Error | null) => void): void {
    super._write(chunk, encoding, withoutBrokenPipe(written));
  }

  override _writev(
    chunks: { chunk: unknown; encoding: BufferEncoding }[],
    written: (error?: Error | null) => void,
  ): void {
    super._writev!(chunks, withoutBrokenPipe(written));
  }
}

/**
 * An instance may answer before it has read the request, and close. Then writing fails while the answer waits to be read:
 * the rest of the request is dropped, and reading ends with the answer or with an error.
 */
function withoutBrokenPipe(written: (error?: Error | null) => void): (error?: Error | null) => void {
  return (error) => {
    const { code } = (error ?? {}) as NodeJS.ErrnoException;
    written(code === "EPIPE" || code === "ECONNRESET" ? null : error);
  };
}

/** @param connected gets an error if the endpoint refuses, or does not accept the connection in time. */
export function connectTo(
  endpoint: ProxiedEndpoint,
  connected: (error: Unreachable | null, socket: Socket) => void,
): void {
  const socket = new InstanceSocket();
  const failed = (error: Error): void => {
    clearTimeout(limit);
    connected(new Unreachable(error.message), socket);
  };
  const limit = setTimeout(
    () => socket.destroy(new Error(`no connection within ${CONNECT_MILLISECONDS} ms`)),
    CONNECT_MILLISECONDS,
  );
  socket.once("error", failed);
  socket.once("connect", () => {
    clearTimeout(limit);
    socket.off("error", failed);
    connected(null, socket);
  });
  socket.setNoDelay(true);
  socket.connect({ ...endpoint });
}
