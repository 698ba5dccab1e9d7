/** What of the database differs between releases: see migrations/. */
"use strict";

/** The column that says whose goal it is. */
module.exports = { goalOwner: "author" };
