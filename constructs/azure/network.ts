/**
 * The virtual network: a subnet for each role, closed except for what the role needs. Only the load balancer (see
 * load-balancer.ts), Bastion and the NAT gateway for outbound traffic have a public address.
 */
import { BastionHost } from "@cdktf/provider-azurerm/lib/bastion-host";
import { NatGateway } from "@cdktf/provider-azurerm/lib/nat-gateway";
import { NatGatewayPublicIpAssociation } from "@cdktf/provider-azurerm/lib/nat-gateway-public-ip-association";
import { NetworkSecurityGroup } from "@cdktf/provider-azurerm/lib/network-security-group";
import { NetworkSecurityRule } from "@cdktf/provider-azurerm/lib/network-security-rule";
import { PublicIp } from "@cdktf/provider-azurerm/lib/public-ip";
import { Subnet } from "@cdktf/provider-azurerm/lib/subnet";
import { SubnetNatGatewayAssociation } from "@cdktf/provider-azurerm/lib/subnet-nat-gateway-association";
import { SubnetNetworkSecurityGroupAssociation } from "@cdktf/provider-azurerm/lib/subnet-network-security-group-association";
import { VirtualNetwork } from "@cdktf/provider-azurerm/lib/virtual-network";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { SubnetRole } from "../../configuration/azure/azure-names";
import type { Outbound } from "../../configuration/azure/azure-safeguards";
import { BASTION_RULES, networkRules } from "./network-rules";
import type { AllowRule, GroupRules, GuardedRole } from "./network-rules";
import type { Placement } from "./placement";
import { requireResourceId } from "./resource-id";

/** What {@link Network} is made of. */
export interface NetworkProps extends Placement {
  /** Part of the names of all resources. */
  readonly name: string;
  /** As in "10.20.0.0/16". */
  readonly addressSpace: string;
  /** The subnets' ranges inside the address space. */
  readonly ranges: Readonly<Record<GuardedRole | "bastion", string>>;
  /** The slots' ports, open only to the proxies. */
  readonly slotPorts: readonly number[];
  /** The ports on which the proxies serve users. */
  readonly publicPorts: readonly number[];
  /** The IPv4 ranges that may reach the public ports. */
  readonly allowedSources: readonly string[];
  /** The SKU of Bastion, or "none". */
  readonly bastion: "none" | "Basic" | "Standard";
  /** Where machines may connect to. @default - anywhere */
  readonly outbound?: Outbound;
  /** Whether web servers mount an NFS share by a private endpoint. @default false */
  readonly mountsShare?: boolean;
}

/** The highest number, so that all other rules come first. */
const LAST = 4096;

/** A virtual network with a subnet for each role: created by this stack, or existing. */
export interface INetwork {
  /** The resource id of the virtual network. */
  readonly id: string;
  /** What machines depend on. */
  readonly ready: ITerraformDependable[];
  /** The resource id of a role's subnet. */
  subnetId(role: GuardedRole): string;
}

/** An existing network. */
export interface NetworkAttributes {
  /** The resource id, as in `/subscriptions/.../virtualNetworks/vnet-shop`. */
  readonly virtualNetworkId: string;
  /** The resource ids of the subnets. Several roles may share one that is large enough. */
  readonly subnetIds: Readonly<Record<GuardedRole, string>>;
}

/**
 * A network that this stack creates, closed except for what each role needs. For an existing one:
 * `Network.fromNetworkAttributes`.
 */
export class Network extends Construct implements INetwork {
  /**
   * An existing network. Adds nothing to the stack, no rules either. Its owner must open the slots' ports on the web
   * servers to the proxies, the public ports to users, and outbound traffic to all machines.
   * @throws Error if an id is not that of a virtual network or a subnet.
   */
  static fromNetworkAttributes(scope: Construct, id: string, attributes: NetworkAttributes): INetwork {
    const { virtualNetworkId, subnetIds } = attributes;
    requireResourceId("virtualNetworkId", virtualNetworkId, "Microsoft.Network/virtualNetworks");
    for (const [role, subnetId] of Object.entries(subnetIds)) {
      requireResourceId(`subnetIds.${role}`, subnetId, "Microsoft.Network/virtualNetworks/subnets");
    }
    const subnetId = (role: GuardedRole): string => subnetIds[role];
    return Object.assign(new Construct(scope, id), { id: virtualNetworkId, ready: [], subnetId });
  }

  /** What machines depend on: without outbound traffic the VM agent hangs. */
  readonly ready: ITerraformDependable[] = [];
  readonly id: string;
  private readonly subnets = new Map<SubnetRole, Subnet>();

  constructor(
    scope: Construct,
    id: string,
    private readonly props: NetworkProps,
  ) {
    super(scope, id);
    const { name, addressSpace, bastion } = props;
    const network = new VirtualNetwork(this, "Resource", {
      ...this.placement,
      name: `vnet-${name}`,
      addressSpace: [addressSpace],
    });
    this.id = network.id;

    const rules = networkRules(props);
    const nat = this.addNat();
    for (const role of ["web", "proxy", "operations", "endpoints"] as const) {
      this.addGuardedSubnet(network, role, rules[role], role === "endpoints" ? undefined : nat);
    }
    if (bastion !== "none") this.addBastion(network, bastion);
  }

  subnetId(role: GuardedRole): string {
    return this.subnets.get(role)!.id;
  }

  private get placement(): Placement {
    const { resourceGroupName, location, tags } = this.props;
    return { resourceGroupName, location, tags };
  }

  private addSubnet(network: VirtualNetwork, role: SubnetRole, name: string): Subnet {
    const subnet = new Subnet(this, `subnet-${role}`, {
      resourceGroupName: this.props.resourceGroupName,
      virtualNetworkName: network.name,
      name,
      addressPrefixes: [this.props.ranges[role]],
      // Without this, network security groups don't apply to private endpoints.
      ...(role === "endpoints" ? { privateEndpointNetworkPolicies: "NetworkSecurityGroupEnabled" } : {}),
      ...(role === "bastion" ? {} : { defaultOutboundAccessEnabled: false }),
    });
    this.subnets.set(role, subnet);
    return subnet;
  }

  private addGuardedSubnet(
    network: VirtualNetwork,
    role: GuardedRole,
    rules: GroupRules,
    nat: NatGateway | undefined,
  ): void {
    const subnet = this.addSubnet(network, role, `snet-${role}`);
    this.ready.push(this.guard(subnet, role, rules));
    if (nat === undefined) return;
    this.ready.push(
      new SubnetNatGatewayAssociation(this, `nat-${role}`, { subnetId: subnet.id, natGatewayId: nat.id }),
    );
  }

  /** A security group with its rules, on a subnet. */
  private guard(
    subnet: Subnet,
    role: SubnetRole,
    { inbound, outbound = [] }: GroupRules,
  ): SubnetNetworkSecurityGroupAssociation {
    const group = new NetworkSecurityGroup(this, `nsg-${role}`, {
      ...this.placement,
      name: `nsg-${this.props.name}-${role}`,
    });
    const rules = [
      ...inbound.map((rule, index) => this.addRule(group, role, "Inbound", rule, 100 + 10 * index)),
      ...outbound.map((rule, index) => this.addRule(group, role, "Outbound", rule, 100 + 10 * index)),
    ];
    rules.push(this.addInboundDeny(group, role));
    // Without the rules before it, it would cut off what a running environment needs, if only for seconds.
    if (outbound.length > 0) rules.push(this.addOutboundDeny(group, role, [...rules]));
    return new SubnetNetworkSecurityGroupAssociation(this, `nsg-${role}-association`, {
      subnetId: subnet.id,
      networkSecurityGroupId: group.id,
      // Azure checks the rules when Bastion's subnet gets its group.
      ...(role === "bastion" ? { dependsOn: rules } : {}),
    });
  }

  private addRule(
    group: NetworkSecurityGroup,
    role: SubnetRole,
    direction: "Inbound" | "Outbound",
    { name, from = "*", to = "*", ports, protocol = "Tcp" }: AllowRule,
    priority: number,
  ): NetworkSecurityRule {
    const sources = typeof from === "string" ? [from] : from;
    const id = direction === "Inbound" ? name : `to-${name}`;
    return new NetworkSecurityRule(this, `nsg-${role}-${id}`, {
      resourceGroupName: this.props.resourceGroupName,
      networkSecurityGroupName: group.name,
      name: `allow-${id}`,
      priority,
      direction,
      access: "Allow",
      protocol,
      sourcePortRange: "*",
      destinationAddressPrefix: to,
      destinationPortRanges: [...ports],
      ...(sources.length === 1
        ? { sourceAddressPrefix: sources[0]! }
        : { sourceAddressPrefixes: [...sources] }),
    });
  }

  /** By default Azure allows all traffic inside a network. */
  private addInboundDeny(group: NetworkSecurityGroup, role: SubnetRole): NetworkSecurityRule {
    return new NetworkSecurityRule(this, `nsg-${role}-deny`, {
      ...this.denial(group),
      name: "deny-virtual-network",
      direction: "Inbound",
      sourceAddressPrefix: "VirtualNetwork",
    });
  }

  /** By default Azure allows connections to anywhere. */
  private addOutboundDeny(
    group: NetworkSecurityGroup,
    role: SubnetRole,
    dependsOn: NetworkSecurityRule[],
  ): NetworkSecurityRule {
    return new NetworkSecurityRule(this, `nsg-${role}-deny-outbound`, {
      ...this.denial(group),
      name: "deny-outbound",
      direction: "Outbound",
      sourceAddressPrefix: "*",
      dependsOn,
    });
  }

  private denial(group: NetworkSecurityGroup) {
    return {
      resourceGroupName: this.props.resourceGroupName,
      networkSecurityGroupName: group.name,
      priority: LAST,
      access: "Deny",
      protocol: "*",
      sourcePortRange: "*",
      destinationPortRange: "*",
      destinationAddressPrefix: "*",
    };
  }

  private addNat(): NatGateway {
    const nat = new NatGateway(this, "nat", {
      ...this.placement,
      name: `ng-${this.props.name}`,
      skuName: "Standard",
      idleTimeoutInMinutes: 10,
    });
    this.ready.push(
      new NatGatewayPublicIpAssociation(this, "nat-address-association", {
        natGatewayId: nat.id,
        publicIpAddressId: this.addPublicIp("nat").id,
      }),
    );
    return nat;
  }

  private addBastion(network: VirtualNetwork, sku: "Basic" | "Standard"): void {
    // Azure requires this name.
    const subnet = this.addSubnet(network, "bastion", "AzureBastionSubnet");
    const guarded = this.guard(subnet, "bastion", BASTION_RULES);
    new BastionHost(this, "bastion", {
      ...this.placement,
      name: `bas-${this.props.name}`,
      sku,
      ...(sku === "Standard" ? { tunnelingEnabled: true } : {}),
      ipConfiguration: {
        name: "primary",
        subnetId: subnet.id,
        publicIpAddressId: this.addPublicIp("bastion").id,
      },
      dependsOn: [guarded],
    });
  }

  private addPublicIp(purpose: string): PublicIp {
    return new PublicIp(this, `${purpose}-address`, {
      ...this.placement,
      name: `pip-${this.props.name}-${purpose}`,
      allocationMethod: "Static",
      sku: "Standard",
    });
  }
}
