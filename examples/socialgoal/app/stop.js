/**
 * The graceful stop: SIGTERM or SIGINT loses no request.
 *
 * 1. No new connections, once those that are there were taken. 2. Whatever is under way is answered, with
 * `Connection: close`. 3. Idle connections are closed, after a moment in which a request that was already on the wire
 * still gets its answer. 4. Exit 0.
 */
"use strict";

const net = require("node:net");

/** How long an idle connection stays open after the signal. */
const LAST_WORD_MS = 100;
/** The same for one that was made and has not said anything yet: whoever made it is about to, on a busy machine later. */
const FIRST_WORD_MS = 1_000;
/** New connections are taken for so long at most, if each turn of the event loop meets one. */
const LISTENING_MS = 2_000;
/** After this the process exits with 1, whatever is left. */
const HARD_STOP_MS = 10_000;

function stopOnSignals(server, app) {
  /** Socket -> its requests without an answer, and how much had been read when it was last at rest. */
  const connections = new Map();
  const unanswered = new Set();
  let stoppedAt = 0;
  let accepted = 0;

  server.on("connection", (socket) => {
    accepted += 1;
    connections.set(socket, { since: performance.now(), requests: 0, bytesAtRest: 0 });
    socket.once("close", () => connections.delete(socket));
  });
  const follow = (request, response) => {
    if (app.stopping) response.setHeader("connection", "close");
    const connection = connections.get(request.socket);
    unanswered.add(response);
    connection.requests += 1;
    const atRest = () => (connection.bytesAtRest = request.socket.bytesRead);
    request.once("close", atRest); // A refused request's body may still come after its answer.
    response.once("close", () => {
      unanswered.delete(response);
      connection.requests -= 1;
      atRest();
    });
  };
  server.prependListener("request", follow);
  server.prependListener("checkExpectation", follow);

  // Not server.closeIdleConnections(): it cuts answers that are not yet flushed, and leaves sockets that never spoke.
  const closeIdle = () => {
    const now = performance.now();
    for (const [socket, { since, requests, bytesAtRest }] of connections) {
      if (socket.bytesRead === 0 && now - Math.max(since, stoppedAt) < FIRST_WORD_MS) continue;
      if (requests === 0 && socket.bytesRead === bytesAtRest) socket.destroy();
    }
  };

  // The kernel resets what it has accepted and nobody took: the listener goes after a turn of the event loop that met no
  // new connection, and soon where each meets one. net's close, because http's closes idle connections at once.
  const closeListener = (done) => {
    const before = accepted;
    setImmediate(() => {
      if (accepted > before && performance.now() - stoppedAt < LISTENING_MS) closeListener(done);
      else net.Server.prototype.close.call(server, done);
    });
  };

  const stop = (signal) => {
    if (app.stopping) return;
    app.stopping = true;
    stoppedAt = performance.now();
    console.log(`${signal}: stopping, ${unanswered.size} requests under way`);
    for (const response of unanswered) {
      if (!response.headersSent) response.setHeader("connection", "close");
    }
    setTimeout(() => process.exit(1), HARD_STOP_MS).unref();
    setInterval(closeIdle, LAST_WORD_MS);
    setImmediate(closeListener, () => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

module.exports = { stopOnSignals };
