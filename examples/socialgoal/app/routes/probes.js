/** For the director and the proxy: whether this process is ready, and its release. */
"use strict";

const { sendJson } = require("../answer");

function health({ app, response }) {
  const { release, version } = app.settings;
  const status = app.stopping ? "stopping" : app.ready ? "ok" : "starting";
  sendJson(response, status === "ok" ? 200 : 503, { status, release, version });
}

function version({ app, response }) {
  const { version, release, slot, server } = app.settings;
  sendJson(response, 200, { version, release, slot, server });
}

const probes = [
  { path: "/health", always: true, methods: { GET: health } },
  { path: "/version", always: true, methods: { GET: version } },
];

module.exports = { probes };
