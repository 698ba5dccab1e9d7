"use strict";
/** Stands where a bundle leaves a dependency out that its program never asks for; whoever does, learns it at once. */
module.exports = new Proxy(
  {},
  {
    get(_, name) {
      if (name === "__esModule") return false;
      throw new Error(`${String(name)} is not part of this program`);
    },
  },
);
