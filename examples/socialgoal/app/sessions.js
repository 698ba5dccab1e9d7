/**
 * Who is signed in: a cookie with the user's name, signed with a key in the data folder. The server keeps no session, so
 * every process with that key accepts the cookie: both servers, both slots, every release. (What lives in a process's
 * memory is in memory-sessions.js.)
 */
"use strict";

const crypto = require("node:crypto");
const fs = require("node:fs/promises");
const path = require("node:path");
const { cookieOf } = require("./cookies");

const COOKIE = "socialgoal_session";
const LIFETIME_SECONDS = 30 * 24 * 60 * 60;

async function openSessions(dataFolder) {
  return new Sessions(await sharedKey(path.join(dataFolder, "session.key")));
}

/** If several processes start at once, one creates the key: `link` never replaces a file. */
async function sharedKey(file) {
  const temporary = `${file}.${crypto.randomUUID()}`;
  await fs.writeFile(temporary, crypto.randomBytes(32).toString("hex"), { mode: 0o600 });
  try {
    await fs.link(temporary, file);
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  } finally {
    await fs.rm(temporary);
  }
  return fs.readFile(file, "utf8");
}

class Sessions {
  #key;

  constructor(key) {
    this.#key = key;
  }

  /** The Set-Cookie header that signs `name` in. */
  cookieFor(name, { secure }) {
    const until = Math.floor(Date.now() / 1000) + LIFETIME_SECONDS;
    const claim = Buffer.from(JSON.stringify({ name, until })).toString("base64url");
    return setCookie(`${claim}.${this.#signature(claim)}`, LIFETIME_SECONDS, secure);
  }

  /** The Set-Cookie header that signs out. */
  noCookie({ secure }) {
    return setCookie("", 0, secure);
  }

  /** The name in a valid cookie, or null. */
  visitorOf(request) {
    const [claim, signature] = (cookieOf(request, COOKIE) ?? "").split(".");
    if (!claim || !signature || !equal(signature, this.#signature(claim))) return null;
    const { name, until } = JSON.parse(Buffer.from(claim, "base64url").toString("utf8"));
    return until > Date.now() / 1000 ? name : null;
  }

  #signature(claim) {
    return crypto.createHmac("sha256", this.#key).update(claim).digest("base64url");
  }
}

function setCookie(value, maxAge, secure) {
  return `${COOKIE}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
}

function equal(a, b) {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && crypto.timingSafeEqual(one, other);
}

module.exports = { openSessions };
