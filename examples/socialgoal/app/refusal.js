/** An error with its own status and message, instead of 500. */
"use strict";

class Refusal extends Error {
  constructor(status, message, headers = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

module.exports = { Refusal };
