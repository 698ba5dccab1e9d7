/** The part of the schema that differs between releases: see migrations/. */
"use strict";

/** The column with the owner of a goal. While 1.0 may serve, the database also writes the older column. */
module.exports = { goalOwner: "owner" };
