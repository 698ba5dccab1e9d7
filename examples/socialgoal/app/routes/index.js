/** Routes a request to its handler, which gets { app, request, response, parameters, query }. */
"use strict";

const { Refusal } = require("../refusal");
const { probes } = require("./probes");
const { pages } = require("./pages");
const { steps } = require("./steps");
const { account } = require("./account");
const { api } = require("./api");
const { pictures } = require("./pictures");

/** Each route: path (":id" matches one segment), handlers by method; `always` means even while not ready. */
const ROUTES = [...probes, ...pages, ...steps, ...account, ...api, ...pictures].map((route) => ({
  ...route,
  pattern: new RegExp(`^${route.path.replace(/:(\w+)/g, "(?<$1>[^/]+)")}$`),
}));

async function handle(app, request, response) {
  const [path, search = ""] = request.url.split("?", 2);
  const found = findRoute(path);
  if (!app.ready && !found?.route.always) {
    throw new Refusal(503, "not ready yet, please try again soon", { "retry-after": "1" });
  }
  if (!found) throw new Refusal(404, "there is nothing at this address");

  const { methods } = found.route;
  const handler = Object.hasOwn(methods, request.method) ? methods[request.method] : undefined;
  const chosen = handler ?? (request.method === "HEAD" ? methods.GET : undefined);
  if (!chosen) {
    const allow = Object.keys(methods).flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
    throw new Refusal(405, `${request.method} is not possible here`, { allow: allow.join(", ") });
  }
  const { parameters } = found;
  await chosen({ app, request, response, parameters, query: new URLSearchParams(search) });
}

function findRoute(path) {
  for (const route of ROUTES) {
    const match = route.pattern.exec(path);
    if (match) return { route, parameters: { ...match.groups } };
  }
  return undefined;
}

module.exports = { handle };
