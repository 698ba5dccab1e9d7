"use strict";
/** Replaces a dependency that a bundle's program never uses. Any use throws. */
module.exports = new Proxy(
  {},
  {
    get(_, name) {
      if (name === "__esModule") return false;
      throw new Error(`${String(name)} is not part of this program`);
    },
  },
);
