/** What of the database differs between releases: see migrations/. */
"use strict";

/** The column that says whose goal it is; written to the older one, too, by the database, while 1.0 may serve. */
module.exports = { goalOwner: "owner" };
