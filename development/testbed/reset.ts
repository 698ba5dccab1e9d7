/** Ends a connection with RST, as a program or a machine that dies does. */
import type { Socket } from "node:net";

/**
 * A socket that is just being ended is only destroyed: Node 20 can't reset it then, loses its handle all the same, and the
 * process that tried never ends.
 */
export function reset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
