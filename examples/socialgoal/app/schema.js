/** The part of the schema that differs between releases: see migrations/. */
"use strict";

/** The column with the owner of a goal. */
module.exports = { goalOwner: "author" };
