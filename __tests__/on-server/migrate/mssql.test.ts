/** The migrator as Terraform starts it, on SQL Server's protocol: the promises, and what is SQL Server's own. */
import { scriptedKit } from "./kits";
import { migrationPromises } from "./promises";

migrationPromises(() => Promise.resolve(scriptedKit()));
