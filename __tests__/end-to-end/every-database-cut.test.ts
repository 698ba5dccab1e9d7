/** Releases whose connection to the database is cut at ten points, on each database. */
import { postgres, sqlServer } from "./cut-databases";
import { cuts, describeCuts } from "./cut-releases";

const POINTS = cuts(10, [3, 8]);
const WAYS = ["by itself", "retry", "resolve"] as const;

describe("PostgreSQL:", () => describeCuts(postgres, POINTS, WAYS));
describe("SQL Server, scripted:", () => describeCuts(sqlServer, POINTS, WAYS));
