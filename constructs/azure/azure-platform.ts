/** Azure: virtual machines, and managed run commands as the steps on them. */
import { AzurermProvider } from "@cdktf/provider-azurerm/lib/provider";
import type { TerraformStack } from "cdktf";
import {
  azureNames,
  blobHost,
  identityId,
  keyVaultHost,
  migratorUrl,
  subnetRange,
  virtualMachineId,
} from "../../configuration/azure/azure-names";
import type { AzureDatabase } from "../../configuration/azure/azure-platform";
import type { AzureEnvironment } from "../../configuration/environment";
import { OPERATIONS_SERVER, proxyPlaces, serverPlaces } from "../../configuration/naming";
import { usesIis } from "../../configuration/platform";
import { linuxInstaller } from "../installer";
import type { Installer } from "../installer";
import { migratorProgram } from "../migrator";
import type { Migrator } from "../migrator";
import { onServerProgram } from "../on-server-program";
import type { Platform } from "../platform";
import type { Server } from "../server";
import { AzureInfrastructure } from "./azure-infrastructure";
import { AzureVirtualMachine } from "./azure-virtual-machine";
import { useAzurerm } from "./azurerm";
import type { OperatingSystem } from "./machine";

/** A new role assignment takes minutes to apply everywhere; a large artifact takes minutes to download. */
const PATIENCE_SECONDS = 900;

export class AzurePlatform implements Platform {
  constructor(private readonly environment: AzureEnvironment) {}

  provision(stack: TerraformStack): void {
    this.addProvider(stack);
    new AzureInfrastructure(stack, "Default", { environment: this.environment });
  }

  machines(stack: TerraformStack): ReturnType<Platform["machines"]> {
    this.addProvider(stack);
    const { environment } = this;
    const server =
      (os: OperatingSystem) =>
      ({ name }: { name: string }) =>
        new AzureVirtualMachine({
          name,
          os,
          virtualMachineId: virtualMachineId(environment, name),
          location: environment.platform.location,
        });
    const web = server(environment.platform.webServers.os);
    return {
      servers: new Map(serverPlaces(environment).map((place) => [place.name, web(place)])),
      proxies: proxyPlaces(environment).map(server("linux")),
      installer: this.installer(),
      ...(environment.platform.database === undefined
        ? {}
        : {
            migrator: this.migrator(
              server("linux")({ name: OPERATIONS_SERVER }),
              environment.platform.database,
            ),
          }),
    };
  }

  private migrator(server: Server, { authentication, migrationSecret }: AzureDatabase): Migrator {
    const { environment } = this;
    const { sha256 } = migratorProgram();
    const identity = identityId(environment, "operations");
    const { sqlServer, database } = azureNames(environment);
    return {
      server,
      database:
        authentication === "entra"
          ? { kind: "entra", server: `${sqlServer}.database.windows.net`, database, identity }
          : { kind: "secret", vault: keyVaultHost(environment), secret: migrationSecret, identity },
      artifactHost: blobHost(environment),
      parameters: {
        MIGRATOR_URL: migratorUrl(environment, sha256),
        MIGRATOR_SHA256: sha256,
        IDENTITY: identity,
      },
    };
  }

  private installer(): Installer {
    const { environment } = this;
    const artifactHost = blobHost(environment);
    const identity = identityId(environment, "web");
    if (!usesIis(environment)) {
      const { allowMetadata } = environment.platform.webServers;
      return linuxInstaller({
        ...{ artifactHost, identity, allowMetadata, patienceSeconds: PATIENCE_SECONDS },
        ...(environment.storage === undefined
          ? {}
          : { sharedStorage: { paths: environment.storage.shared } }),
      });
    }
    const { iis } = environment.platform;
    return {
      script: onServerProgram("install/install-release.ps1"),
      patienceSeconds: PATIENCE_SECONDS,
      parameters: {
        ARTIFACT_HOST: artifactHost,
        IDENTITY: identity,
        KEY_VAULT_HOST: keyVaultHost(environment),
        ALLOWED_SOURCES: subnetRange(environment, "proxy"),
        IIS_SETTINGS_BASE64: Buffer.from(
          JSON.stringify({
            connectionString: null,
            machineKeySecret: null,
            disableInitializer: null,
            ...iis,
          }),
        ).toString("base64"),
      },
    };
  }

  private addProvider(stack: TerraformStack): void {
    const { subscriptionId, provider: version } = this.environment.platform;
    const provider = new AzurermProvider(stack, "azurerm", {
      subscriptionId,
      features: [
        {
          // Behind a private endpoint Terraform can't reach the account's data plane, and need not.
          storage: [{ dataPlaneAvailable: false }],
          // A vault with purge protection can't be purged, only recovered.
          keyVault: [{ purgeSoftDeleteOnDestroy: false, recoverSoftDeletedKeyVaults: true }],
        },
      ],
      storageUseAzuread: true,
      resourceProviderRegistrations: "none",
    });
    useAzurerm(provider, version);
  }
}
