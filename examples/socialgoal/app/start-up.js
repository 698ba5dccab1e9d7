/** Everything that has to be there before the first request; while the application is not ready, /health is 503. */
"use strict";

const { openStore } = require("./store");
const { openSessions } = require("./sessions");

async function startUp(app) {
  const { dataFolder, databaseUrl } = app.settings;
  app.store = databaseUrl === null ? await openStore(dataFolder) : await openDatabase(databaseUrl);
  app.sessions = await openSessions(app.settings.dataFolder);
  app.ready = true;
}

/** An artifact brings the driver of the database that it was packed for. */
function openDatabase(address) {
  if (address.startsWith("mssql:")) {
    const { openSqlServerStore } = require("./sql-server-store");
    return openSqlServerStore(address);
  }
  const { openDatabaseStore } = require("./database-store");
  return openDatabaseStore(address);
}

module.exports = { startUp };
