/**
 * The public entry point: spreads connections over the proxies. Its probe checks the proxy itself, never a slot, so no
 * release can take a proxy out.
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
  /** Ports, the same on load balancer and proxies. The first one is probed. */
  readonly ports: readonly number[];
  /** The path of the proxy's health check. */
  readonly probePath: string;
  /** The proxies' network interfaces, by the proxy's name. */
  readonly proxies: ReadonlyMap<string, string>;
  /** The first label of the public address's DNS name. @default - no name */
  readonly domainLabel?: string;
}

const FRONTEND = "public";

/** An entry point for users: created by this stack, or existing. */
export interface ILoadBalancer {
  /** The resource id. */
  readonly id: string;
  /** The IPv4 address for users. */
  readonly publicAddress: string;
}

/** An existing load balancer. */
export interface LoadBalancerAttributes {
  /** The resource id, as in `/subscriptions/.../loadBalancers/lb-shop`. */
  readonly loadBalancerId: string;
  readonly publicAddress: string;
}

/** A load balancer that this stack creates. For an existing one: `LoadBalancer.fromLoadBalancerAttributes`. */
export class LoadBalancer extends Construct implements ILoadBalancer {
  /**
   * An existing load balancer, for `Monitoring`. Adds nothing to the stack: its owner adds the proxies to its pool and
   * probes `/proxy-healthz`.
   * @throws Error if the id is not that of a load balancer.
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
        // Outbound traffic uses the NAT gateway.
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
