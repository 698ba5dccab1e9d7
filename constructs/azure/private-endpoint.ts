/** An Azure service with a private address in the network, under its usual DNS name. */
import { PrivateDnsZoneVirtualNetworkLink } from "@cdktf/provider-azurerm/lib/private-dns-zone-virtual-network-link";
import { PrivateDnsZone } from "@cdktf/provider-azurerm/lib/private-dns-zone";
import { PrivateEndpoint as AzurePrivateEndpoint } from "@cdktf/provider-azurerm/lib/private-endpoint";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { inNamesOf5 } from "./azurerm";
import type { Placement } from "./placement";

/** The services, with Azure's names for sub-resource and DNS zone. */
const SERVICES = {
  blob: { subresource: "blob", zone: "privatelink.blob.core.windows.net" },
  file: { subresource: "file", zone: "privatelink.file.core.windows.net" },
  sqlServer: { subresource: "sqlServer", zone: "privatelink.database.windows.net" },
  vault: { subresource: "vault", zone: "privatelink.vaultcore.azure.net" },
} as const;

export interface PrivateEndpointProps extends Placement {
  readonly name: string;
  readonly service: keyof typeof SERVICES;
  /** The id of the storage account, SQL server or Key Vault. */
  readonly resourceId: string;
  readonly subnetId: string;
  readonly virtualNetworkId: string;
}

export class PrivateEndpoint extends Construct {
  readonly resource: ITerraformDependable;

  constructor(scope: Construct, id: string, props: PrivateEndpointProps) {
    super(scope, id);
    const { resourceGroupName, location, tags, name } = props;
    const { subresource, zone: zoneName } = SERVICES[props.service];
    const zone = new PrivateDnsZone(this, "zone", { resourceGroupName, name: zoneName, tags });
    const link = new PrivateDnsZoneVirtualNetworkLink(this, "zone-link", {
      resourceGroupName,
      name: `link-${name}`,
      privateDnsZoneName: zone.name,
      virtualNetworkId: props.virtualNetworkId,
      tags,
    });
    inNamesOf5(link, { private_dns_zone_id: zone.id });
    this.resource = new AzurePrivateEndpoint(this, "Resource", {
      resourceGroupName,
      location,
      tags,
      name: `pe-${name}`,
      subnetId: props.subnetId,
      privateServiceConnection: {
        name: `psc-${name}`,
        isManualConnection: false,
        privateConnectionResourceId: props.resourceId,
        subresourceNames: [subresource],
      },
      privateDnsZoneGroup: { name: "default", privateDnsZoneIds: [zone.id] },
    });
  }
}
