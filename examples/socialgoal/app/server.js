/**
 * SocialGoal: people set goals and post updates on their progress. Start it with `node server.js`.
 *
 * It listens after it has started up (start-up.js), so that it can serve requests that a proxy holds meanwhile. Several
 * processes, of one or two releases, use the same data folder at the same time.
 */
"use strict";

const http = require("node:http");
const { MemorySessions } = require("./memory-sessions");
const { readSettings } = require("./settings");
const { startUp } = require("./start-up");
const { stopOnSignals } = require("./stop");
const { handle } = require("./routes");
const { sendError, sendJson } = require("./answer");

/** Longer than a proxy's idle timeout, so that the server never closes a connection first. */
const KEEP_ALIVE_MS = 65_000;

function main() {
  const settings = readSettings(process.env, __dirname);
  const drafts = new MemorySessions(settings.memorySessions);
  const app = { settings, drafts, store: null, sessions: null, ready: false, stopping: false };

  const server = http.createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requireHostHeader: false });
  server.on("request", (request, response) => {
    response.setHeader("x-release-id", settings.release);
    handle(app, request, response).catch((error) => sendError(request, response, error));
  });
  server.on("checkExpectation", (request, response) => {
    response.setHeader("x-release-id", settings.release);
    sendJson(response, 417, { error: "the only expectation that can be met is 100-continue" });
  });
  server.on("clientError", (error, socket) => refuseUnreadable(settings, error, socket));
  server.on("error", (error) => {
    console.error(`cannot listen on ${settings.host}:${settings.port}: ${error.message}`);
    process.exit(1);
  });
  stopOnSignals(server, app);

  startUp(app).then(
    () =>
      server.listen(settings.port, settings.host, () => {
        const { address, port } = server.address();
        console.log(
          `socialgoal ${settings.version} (${settings.release}) listens on ${address} port ${port}`,
        );
        if (app.ready) console.log("ready");
      }),
    (error) => {
      console.error(`cannot start: ${error.message}`);
      process.exit(1);
    },
  );
}

/** Answers what Node could not parse as HTTP, on the socket itself. */
function refuseUnreadable(settings, error, socket) {
  if (error.code === "ECONNRESET" || !socket.writable) return socket.destroy();
  const status =
    {
      HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
      ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
    }[error.code] ?? "400 Bad Request";
  const body = `{"error":"the request cannot be read"}\n`;
  socket.end(
    `HTTP/1.1 ${status}\r\nx-release-id: ${settings.release}\r\ncontent-type: application/json\r\n` +
      `content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}

try {
  main();
} catch (error) {
  console.error(error.message);
  process.exit(2);
}
