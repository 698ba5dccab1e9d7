/** Prepares everything for the first request; /health is 503 until the application is ready. */
"use strict";

const fs = require("node:fs/promises");
const path = require("node:path");
const { setTimeout: pause } = require("node:timers/promises");
const { openStore } = require("./store");
const { openSessions } = require("./sessions");

async function startUp(app) {
  app.store = await openStore(app.settings.dataFolder);
  app.sessions = await openSessions(app.settings.dataFolder);
  deliveredSettings(path.join(app.settings.dataFolder, "reminders", "settings.json")).then((reminders) => {
    app.reminders = reminders;
    app.ready = true;
  });
}

/** The mail service delivers the settings of the reminders, some time after the start. */
async function deliveredSettings(file) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return JSON.parse(await fs.readFile(file, "utf8"));
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
      if (attempt === 1) console.log(`waiting for ${file}`);
      await pause(500);
    }
  }
}

module.exports = { startUp };
