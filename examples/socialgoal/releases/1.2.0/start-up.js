/** Everything that has to be there before the first request; while the application is not ready, /health is 503. */
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

/** The settings of the reminders are delivered by the mail service, some time after the start. */
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
