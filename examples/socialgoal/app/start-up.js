/** Prepares everything for the first request; /health is 503 until the application is ready. */
"use strict";

const { openStore } = require("./store");
const { openSessions } = require("./sessions");

async function startUp(app) {
  const { dataFolder, databaseUrl } = app.settings;
  app.store = databaseUrl === null ? await openStore(dataFolder) : await openDatabase(databaseUrl);
  app.sessions = await openSessions(app.settings.dataFolder);
  app.ready = true;
}

/** An artifact contains the driver for one kind of database only. */
function openDatabase(address) {
  if (address.startsWith("mssql:")) {
    const { openSqlServerStore } = require("./sql-server-store");
    return openSqlServerStore(address);
  }
  const { openDatabaseStore } = require("./database-store");
  return openDatabaseStore(address);
}

module.exports = { startUp };
