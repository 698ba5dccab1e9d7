/** The promises of a migration, on the scripted SQL Server. */
import { scriptedKit } from "./kits";
import { migrationPromises } from "./promises";

migrationPromises(() => Promise.resolve(scriptedKit()));
