/** The platform of an environment. Each is loaded on use: the provider's classes load slowly. */
import type { AzurePlatform } from "../constructs/azure/azure-platform";
import type { LocalPlatform } from "../constructs/local/local-platform";
import type { Platform } from "../constructs/platform";
import type { Environment } from "../configuration/environment";
import { isLocal, requireAzure } from "../configuration/platform";

/* eslint-disable @typescript-eslint/no-require-imports -- an import would load both, at every synth */
export function platformOf(environment: Environment): Platform {
  if (isLocal(environment)) {
    const local = require("../constructs/local/local-platform") as { LocalPlatform: typeof LocalPlatform };
    return new local.LocalPlatform(environment);
  }
  const azure = require("../constructs/azure/azure-platform") as { AzurePlatform: typeof AzurePlatform };
  return new azure.AzurePlatform(requireAzure(environment));
}
