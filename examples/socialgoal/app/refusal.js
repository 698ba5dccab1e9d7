/** A request that is answered with a status of its own and one sentence, instead of with 500. */
"use strict";

class Refusal extends Error {
  constructor(status, message, headers = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

module.exports = { Refusal };
