/** The promises of a migration, on a real PostgreSQL. */
import { postgresKit } from "./kits";
import { migrationPromises } from "./promises";

migrationPromises(postgresKit);
