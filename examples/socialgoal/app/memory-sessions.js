/**
 * Sessions in this process's memory, as ASP.NET keeps its session and TempData (InProc): another process does not know
 * them, and they end with this one. A cookie names the session. Idle sessions expire, and there is a maximum number.
 */
"use strict";

const crypto = require("node:crypto");
const { cookieOf } = require("./cookies");

const COOKIE = "socialgoal_memory";

class MemorySessions {
  #idleMs;
  #most;
  /** id -> { values, usedAt }, the longest unused first. */
  #sessions = new Map();

  /** Beyond `most` sessions the longest unused one ends. */
  constructor({ idleSeconds, most }) {
    this.#idleMs = idleSeconds * 1000;
    this.#most = most;
    setInterval(() => this.#expire(), 1_000).unref();
  }

  /** Begins a session with these values. @returns the Set-Cookie header that names it. */
  begin(values, { secure }) {
    const id = crypto.randomBytes(16).toString("base64url");
    this.#put(id, values);
    if (this.#sessions.size > this.#most) this.#sessions.delete(this.#sessions.keys().next().value);
    return setCookie(id, secure);
  }

  /** The values of the request's session, which may be changed; null if this process does not know it. */
  valuesOf(request) {
    const id = cookieOf(request, COOKIE);
    const session = this.#known(id);
    if (session === null) return null;
    this.#put(id, session.values);
    return session.values;
  }

  /** The request's session ends. */
  end(request) {
    this.#sessions.delete(cookieOf(request, COOKIE));
  }

  #known(id) {
    const session = this.#sessions.get(id);
    return session !== undefined && session.usedAt > performance.now() - this.#idleMs ? session : null;
  }

  /** As the last used one. */
  #put(id, values) {
    this.#sessions.delete(id);
    this.#sessions.set(id, { values, usedAt: performance.now() });
  }

  #expire() {
    for (const id of this.#sessions.keys()) {
      if (this.#known(id) !== null) return;
      this.#sessions.delete(id);
    }
  }
}

/** Without Max-Age: it ends with the browser's session. */
function setCookie(id, secure) {
  return `${COOKIE}=${id}; Path=/; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
}

module.exports = { MemorySessions };
