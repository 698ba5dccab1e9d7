/** How large an artifact may be: a guard against archives that unpack without end, not a quota. */
import * as z from "zod/mini";

/** A Node.js application with its dependencies has 35,000 to 60,000 files. The installers have the same default. */
export const DEFAULT_MAX_ARTIFACT_FILES = 200_000;

export const MaxArtifactFiles = z.int().check(z.minimum(100), z.maximum(1_000_000));
