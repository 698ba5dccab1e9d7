/** Begins every request for goals: the visitor, and the notice at the top of the pages. */
"use strict";

const { DAYS, SAYINGS } = require("./sayings");

let visits = 0;

function beginVisit(app, request) {
  const saying = SAYINGS[visits++ % DAYS];
  return { visitor: app.sessions.visitorOf(request), notice: `${saying.text} (${saying.by})` };
}

module.exports = { beginVisit };
