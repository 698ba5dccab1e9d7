/** Removes lib/: files of an older build whose source is gone would be packed, too. */
import { rmSync } from "node:fs";

rmSync("lib", { recursive: true, force: true });
