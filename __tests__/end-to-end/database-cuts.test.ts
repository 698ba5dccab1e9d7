/** A few of the points at which a release's connection to its database is cut; all of them: every-database-cut.test.ts. */
import { postgres, sqlServer } from "./cut-databases";
import { cuts, describeCuts } from "./cut-releases";

describe("PostgreSQL:", () => describeCuts(postgres, cuts(2)));
describe("SQL Server, scripted:", () => describeCuts(sqlServer, cuts(2)));
