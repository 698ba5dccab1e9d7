/** stage: installs a version into the idle slot and verifies it, without users' requests. */
import type { Request } from "../command-line/request";
import { releaseOf, withArtifact } from "./release";
import type { ReleaseOptions } from "./release";

export const stage: Request = {
  name: "stage",
  description: "install a version into the idle slot and verify it, without users' requests",
  declare: withArtifact,
  operation: (project, tools, args, options: ReleaseOptions) =>
    releaseOf(project, tools, args, { ...options, goal: "staged" }),
};
