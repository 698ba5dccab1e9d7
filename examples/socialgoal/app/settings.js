/** The settings of this process, from the environment and the packed `release.json`. */
"use strict";

const fs = require("node:fs");
const path = require("node:path");

/** Throws an error in one line if a variable is missing or invalid. */
function readSettings(environment, releaseFolder) {
  const port = environment.PORT ?? "";
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new Error(`PORT must be a number from 0 to 65535, not '${port}'`);
  }
  if (!environment.DATA_FOLDER) throw new Error("DATA_FOLDER must be the folder of the goals");
  const release = environment.BLUEGREEN_RELEASE_ID || "unreleased";
  if (!/^[\x21-\x7e]+$/.test(release)) {
    throw new Error("BLUEGREEN_RELEASE_ID must be printable ASCII without spaces: it is sent as a header");
  }
  return {
    host: environment.HOST || "127.0.0.1",
    port: Number(port),
    dataFolder: path.resolve(environment.DATA_FOLDER),
    databaseUrl: readDatabaseUrl(path.resolve(environment.DATA_FOLDER, "database.url")),
    version: readVersion(path.join(releaseFolder, "release.json")),
    release,
    slot: environment.BLUEGREEN_SLOT || null,
    server: environment.BLUEGREEN_SERVER || null,
    memorySessions: {
      // ASP.NET's default.
      idleSeconds: wholeNumber(environment, "SESSION_IDLE_SECONDS", 20 * 60),
      most: wholeNumber(environment, "MOST_SESSIONS", 5_000),
    },
  };
}

function wholeNumber(environment, name, otherwise) {
  const text = environment[name] || String(otherwise);
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`${name} must be a whole number from 1, not '${text}'`);
  return Number(text);
}

/** The database of the goals, or null: then they are files in the data folder. */
function readDatabaseUrl(file) {
  try {
    return fs.readFileSync(file, "utf8").trim();
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw new Error(`${file} cannot be read: ${error.message}`);
  }
}

/** A checkout that was not packed has no `release.json`. */
function readVersion(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")).version;
  } catch (error) {
    if (error.code === "ENOENT") return "unpacked";
    throw new Error(`${file} cannot be read: ${error.message}`);
  }
}

module.exports = { readSettings };
