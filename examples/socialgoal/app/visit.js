/** What a request for goals begins with: who is there, and what the pages tell them at the top. */
"use strict";

function beginVisit(app, request) {
  return { visitor: app.sessions.visitorOf(request), notice: null };
}

module.exports = { beginVisit };
