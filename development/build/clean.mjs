/** Removes what an older build left in lib/: a file whose source is gone would be packed, and found, as if it were ours. */
import { rmSync } from "node:fs";

rmSync("lib", { recursive: true, force: true });
