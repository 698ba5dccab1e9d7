/** Everything that has to be there before the first request; while the application is not ready, /health is 503. */
"use strict";

const { openStore } = require("./store");
const { openSessions } = require("./sessions");

async function startUp(app) {
  app.store = await openStore(app.settings.dataFolder);
  app.sessions = await openSessions(app.settings.dataFolder);
  app.ready = true;
}

module.exports = { startUp };
