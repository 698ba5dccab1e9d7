/** What a request for goals begins with: who is there, and what the pages tell them at the top. */
"use strict";

const { DAYS, SAYINGS } = require("./sayings");

let visits = 0;

function beginVisit(app, request) {
  const saying = SAYINGS[visits++ % DAYS];
  return { visitor: app.sessions.visitorOf(request), notice: `${saying.text} (${saying.by})` };
}

module.exports = { beginVisit };
