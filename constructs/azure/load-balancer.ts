/**
 * The public entrance: spreads connections over the proxies. Its probe asks the proxy itself, never a slot, so no
 * release can take the entrance away.
 */
import { LbBackendAddressPool } from "@cdktf/provider-azurerm/lib/lb-backend-address-pool";
import { LbProbe } from "@cdktf/provider-azurerm/lib/lb-probe";
import { LbRule } from "@cdktf/provider-azurerm/lib/lb-rule";
import { Lb } from "@cdktf/provider-azurerm/lib/lb";
import { NetworkInterfaceBackendAddressPoolAssociation } from "@cdktf/provider-azurerm/lib/network-interface-backend-address-pool-association";
import { PublicIp } from "@cdktf/provider-azurerm/lib/public-ip";
import { Construct } from "constructs";
import { IP_CONFIGURATION } from "./machine";
import type { Placement } from "./placement";
import { requireResourceId } from "./resource-id";

/** What {@link LoadBalancer} is made of. */
export interface LoadBalancerProps extends Placement {
  readonly name: string;
  /** Ports that are passed on as they are. The first one is probed. */
  readonly ports: readonly number[];
  /** Where the proxy answers for itself. */
  readonly probePath: string;
  /** The proxies' network interfaces, by the proxy's name. */
  readonly proxies: ReadonlyMap<string, string>;
  /** The first label of the address's own name. @default - no name */
  readonly domainLabel?: string;
}

const FRONTEND = "public";

/** An entrance for users, made by this stack or there already. */
export interface ILoadBalancer {
  /** The resource id. */
  readonly id: string;
  /** The IPv4 address that users come to. */
  readonly publicAddress: string;
}

/** A load balancer that is there already. */
export interface LoadBalancerAttributes {
  /** The resource id, as in `/subscriptions/.../loadBalancers/lb-shop`. */
  readonly loadBalancerId: string;
  readonly publicAddress: string;
}

/** A load balancer of this stack's own. For one that is there already: `LoadBalancer.fromLoadBalancerAttributes`. */
export class LoadBalancer extends Construct implements ILoadBalancer {
  /**
   * A load balancer that is there already, for `Monitoring`. Adds nothing to the stack: its owner puts the proxies into
   * its pool, and probes `/proxy-healthz` there.
   * @throws Error where the id is no load balancer's.
   */
  static fromLoadBalancerAttributes(
    scope: Construct,
    id: string,
    { loadBalancerId, publicAddress }: LoadBalancerAttributes,
  ): ILoadBalancer {
    requireResourceId("loadBalancerId", loadBalancerId, "Microsoft.Network/loadBalancers");
    return Object.assign(new Construct(scope, id), { id: loadBalancerId, publicAddress });
  }

  readonly id: string;
  readonly publicAddress: string;

  constructor(scope: Construct, id: string, props: LoadBalancerProps) {
    super(scope, id);
    const { resourceGroupName, location, tags, name, ports, domainLabel } = props;
    const placement = { resourceGroupName, location, tags };
    const address = new PublicIp(this, "address", {
      ...placement,
      name: `pip-${name}-site`,
      allocationMethod: "Static",
      sku: "Standard",
      ...(domainLabel === undefined ? {} : { domainNameLabel: domainLabel }),
    });
    const balancer = new Lb(this, "Resource", {
      ...placement,
      name: `lb-${name}`,
      sku: "Standard",
      frontendIpConfiguration: [{ name: FRONTEND, publicIpAddressId: address.id }],
    });
    const pool = new LbBackendAddressPool(this, "pool", { loadbalancerId: balancer.id, name: "proxies" });
    const probe = new LbProbe(this, "probe", {
      loadbalancerId: balancer.id,
      name: "proxy",
      protocol: "Http",
      port: ports[0]!,
      requestPath: props.probePath,
      intervalInSeconds: 5,
      probeThreshold: 2,
    });
    for (const port of ports) {
      new LbRule(this, `port-${port}`, {
        loadbalancerId: balancer.id,
        name: `port-${port}`,
        protocol: "Tcp",
        frontendPort: port,
        backendPort: port,
        frontendIpConfigurationName: FRONTEND,
        backendAddressPoolIds: [pool.id],
        probeId: probe.id,
        // Machines leave through the NAT gateway.
        disableOutboundSnat: true,
        tcpResetEnabled: true,
        idleTimeoutInMinutes: 15,
      });
    }
    for (const [proxy, networkInterfaceId] of props.proxies) {
      new NetworkInterfaceBackendAddressPoolAssociation(this, proxy, {
        networkInterfaceId,
        ipConfigurationName: IP_CONFIGURATION,
        backendAddressPoolId: pool.id,
      });
    }
    this.id = balancer.id;
    this.publicAddress = address.ipAddress;
  }
}
