/** Everything that has to be there before the first request; while the application is not ready, /health is 503. */
"use strict";

const { openDatabaseStore } = require("./database-store");
const { openStore } = require("./store");
const { openSessions } = require("./sessions");

async function startUp(app) {
  const { dataFolder, databaseUrl } = app.settings;
  app.store = databaseUrl === null ? await openStore(dataFolder) : await openDatabaseStore(databaseUrl);
  app.sessions = await openSessions(app.settings.dataFolder);
  app.ready = true;
}

module.exports = { startUp };
