/** Ends a connection with RST, as a crash of the program does. */
import type { Socket } from "node:net";

/**
 * A socket that is being ended is only destroyed: Node 20 can't reset it, but loses its handle, and the process never ends.
 */
export function reset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
