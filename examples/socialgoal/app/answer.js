/** Sends answers: JSON, a page, a redirect, or an error as JSON or page. */
"use strict";

const { Refusal } = require("./refusal");
const { messagePage } = require("./views/message");

const CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'";

function send(response, status, headers, body) {
  response.writeHead(status, {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-length": Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

function sendJson(response, status, value, headers = {}) {
  const body = JSON.stringify(value) + "\n";
  send(response, status, { "content-type": "application/json; charset=utf-8", ...headers }, body);
}

function sendPage(response, status, page, headers = {}) {
  const type = { "content-type": "text/html; charset=utf-8", "content-security-policy": CONTENT_POLICY };
  send(response, status, { ...type, ...headers }, String(page));
}

/** 303: the browser sends a GET, so a reload does not post the form again. */
function sendSeeOther(response, location, headers = {}) {
  send(response, 303, { location, ...headers }, "");
}

function sendError(request, response, error) {
  const refusal = error instanceof Refusal ? error : new Refusal(500, "something went wrong on our side");
  if (refusal !== error && !request.destroyed) {
    console.error(`${request.method} ${request.url}: ${error.stack.replace(/\s*\n\s*/g, " | ")}`);
  }
  if (response.headersSent) return response.destroy();
  if (/^\/(api\/|health|version)/.test(request.url)) {
    sendJson(response, refusal.status, { error: refusal.message }, refusal.headers);
  } else {
    const page = messagePage({ title: String(refusal.status), message: refusal.message });
    sendPage(response, refusal.status, page, refusal.headers);
  }
}

module.exports = { sendError, sendJson, sendPage, sendSeeOther };
