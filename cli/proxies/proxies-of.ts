/** An environment's proxies, by platform. */
import { isLocal, requireAzure } from "../../configuration/platform";
import type { Project } from "../project/project";
import type { TerraformBinary } from "../terraform/binary";
import { AzureProxies } from "./azure-proxies";
import { LocalProxies } from "./local-proxies";
import type { Proxies } from "./proxies";

export function proxiesOf(project: Project, terraform: () => Promise<TerraformBinary>): Proxies {
  const { folder, environment } = project;
  return isLocal(environment)
    ? new LocalProxies(folder, environment)
    : new AzureProxies(project, requireAzure(environment), terraform);
}
