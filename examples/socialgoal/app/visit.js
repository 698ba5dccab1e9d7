/** Begins every request for goals: the visitor, and the notice at the top of the pages. */
"use strict";

function beginVisit(app, request) {
  return { visitor: app.sessions.visitorOf(request), notice: null };
}

module.exports = { beginVisit };
