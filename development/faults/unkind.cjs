/**
 * Loaded before the sample application (`node --require`), for rows with an application that is hard on a release: it
 * listens some seconds after its start, and every hundredth answer, by chance, is an error in every release. /health and
 * /version, which show who serves, never fail.
 */
"use strict";

const http = require("node:http");
const net = require("node:net");

const STARTS_AFTER_MS = 2_000;
const FAILING = 0.01;

http.Server.prototype.listen = function listen(...args) {
  setTimeout(() => net.Server.prototype.listen.apply(this, args), STARTS_AFTER_MS);
  return this;
};

const emit = http.Server.prototype.emit;
http.Server.prototype.emit = function emitOrFail(event, ...args) {
  const [request, response] = args;
  const spared = event !== "request" || /^\/(health|version)\b/.test(request.url);
  if (spared || Math.random() >= FAILING) return emit.call(this, event, ...args);
  response.writeHead(500, { "x-release-id": process.env.BLUEGREEN_RELEASE_ID });
  request.resume();
  response.end("by chance\n");
  return true;
};
