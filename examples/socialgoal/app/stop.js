/**
 * The graceful stop: SIGTERM or SIGINT loses no request.
 *
 * 1. Accept the pending connections, then no new ones. 2. Answer running requests, with `Connection: close`. 3. Close idle
 * connections, after a delay in which a request that was already on the wire still gets its answer. 4. Exit 0.
 */
"use strict";

const net = require("node:net");

/** How long an idle connection stays open after the signal. */
const IDLE_MS = 100;
/** The same for a connection without any data yet: its first request may be late on a busy machine. */
const FIRST_REQUEST_MS = 3_000;
/** The longest time for new connections, if each turn of the event loop brings one. */
const LISTENING_MS = 2_000;
/** After this the process exits with 1. */
const HARD_STOP_MS = 10_000;

function stopOnSignals(server, app) {
  /** Socket -> its unanswered requests, and the bytes read when it was last idle. */
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
    request.once("close", atRest); // The body of a refused request may arrive after the answer.
    response.once("close", () => {
      unanswered.delete(response);
      connection.requests -= 1;
      atRest();
    });
  };
  server.prependListener("request", follow);
  server.prependListener("checkExpectation", follow);

  // Not server.closeIdleConnections(): it cuts answers that are not yet flushed, and leaves sockets that never sent data.
  const closeIdle = () => {
    const now = performance.now();
    for (const [socket, { since, requests, bytesAtRest }] of connections) {
      if (socket.bytesRead === 0 && now - Math.max(since, stoppedAt) < FIRST_REQUEST_MS) continue;
      if (requests === 0 && socket.bytesRead === bytesAtRest) socket.destroy();
    }
  };

  // The kernel resets connections that wait in its queue: so the listener closes after a turn of the event loop without a
  // new connection, or at the time limit. net's close, because http's also closes idle connections at once.
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
    console.log(`${signal}: stopping, ${unanswered.size} requests running`);
    for (const response of unanswered) {
      if (!response.headersSent) response.setHeader("connection", "close");
    }
    setTimeout(() => process.exit(1), HARD_STOP_MS).unref();
    setInterval(closeIdle, IDLE_MS);
    setImmediate(closeListener, () => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

module.exports = { stopOnSignals };
