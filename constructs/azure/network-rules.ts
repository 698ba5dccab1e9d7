/**
 * What the security groups of an environment's network allow, as data: network.ts makes resources of it. Inbound: what each
 * role needs. Outbound: what machines need that are limited; the others may connect to anything.
 *
 * Azure never filters its platform's own addresses (DNS, time, instance metadata, the agent's channel).
 * Source: https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview#azure-platform-considerations
 */
import type { Outbound } from "../../configuration/azure/azure-safeguards";
import type { SubnetRole } from "../../configuration/azure/azure-names";

/** A subnet of machines or of private endpoints. @useDeclaredType */
export type GuardedRole = Exclude<SubnetRole, "bastion">;

/** One connection that is allowed. `Any` protocol is only for what Azure wants so. */
export interface AllowRule {
  /** Unique in its group. */
  readonly name: string;
  /** Ranges or service tags. @default "*" */
  readonly from?: string | readonly string[];
  /** @default "*" */
  readonly to?: string;
  readonly ports: readonly string[];
  /** @default "Tcp" */
  readonly protocol?: "Tcp" | "Udp" | "*";
}

/** The rules of one security group. All else is denied, where there are rules. */
export interface GroupRules {
  readonly inbound: readonly AllowRule[];
  /** @default - Azure's own: everything */
  readonly outbound?: readonly AllowRule[];
}

/** The facts that the rules follow from. */
export interface NetworkFacts {
  readonly ranges: Readonly<Record<SubnetRole, string>>;
  readonly slotPorts: readonly number[];
  readonly publicPorts: readonly number[];
  readonly allowedSources: readonly string[];
  readonly bastion: "none" | "Basic" | "Standard";
  readonly outbound?: Outbound;
  /** Whether web servers mount a share. @default false */
  readonly mountsShare?: boolean;
}

const ANY_ADDRESS = "0.0.0.0/0";
const INTERNET = "Internet";
const VIRTUAL_NETWORK = "VirtualNetwork";
const REMOTE_LOGIN = ["22", "3389"];
const HTTPS = ["443"];
/** Azure SQL redirects clients inside Azure to the second range. */
const SQL = ["1433", "11000-11999"];
const NFS = ["2049"];
/** Between the parts of Bastion. */
const BASTION_DATA = ["8080", "5701"];
/** Packages, monitoring, logins: services without fixed addresses. */
const SYSTEM: readonly AllowRule[] = [
  { name: "web", to: INTERNET, ports: ["80", "443"] },
  { name: "time", to: INTERNET, ports: ["123"], protocol: "Udp" },
];
const WINDOWS_ACTIVATION: AllowRule = { name: "activation", to: INTERNET, ports: ["1688"] };

export function networkRules(facts: NetworkFacts): Readonly<Record<GuardedRole, GroupRules>> {
  const { ranges, allowedSources, bastion } = facts;
  const slotPorts = facts.slotPorts.map(String);
  const publicPorts = facts.publicPorts.map(String);
  const login: AllowRule[] =
    bastion === "none" ? [] : [{ name: "bastion-login", from: ranges.bastion, ports: REMOTE_LOGIN }];
  const outbound = limits(facts, slotPorts, publicPorts);
  return {
    web: {
      inbound: [{ name: "proxies", from: ranges.proxy, ports: slotPorts }, ...login],
      ...outbound("web"),
    },
    proxy: {
      inbound: [
        { name: "users", from: allowedSources.map(asTag), ports: publicPorts },
        { name: "load-balancer-probe", from: "AzureLoadBalancer", ports: publicPorts },
        ...login,
        // Each compares its record with the others'.
        { name: "proxies", from: ranges.proxy, ports: publicPorts },
      ],
      ...outbound("proxy"),
    },
    operations: { inbound: login, ...outbound("operations") },
    endpoints: {
      inbound: [
        { name: "web", from: ranges.web, ports: [...HTTPS, ...SQL, ...(facts.mountsShare ? NFS : [])] },
        { name: "operations", from: ranges.operations, ports: [...HTTPS, ...SQL] },
        { name: "proxies", from: ranges.proxy, ports: HTTPS },
      ],
    },
  };
}

/**
 * What Azure requires of a group on Bastion's subnet. It refuses the association while one of these is missing.
 * Source: https://learn.microsoft.com/azure/bastion/bastion-nsg
 */
export const BASTION_RULES: GroupRules = {
  inbound: [
    { name: "users", from: INTERNET, ports: HTTPS },
    { name: "gateway-manager", from: "GatewayManager", ports: HTTPS },
    { name: "load-balancer", from: "AzureLoadBalancer", ports: HTTPS },
    { name: "data", from: VIRTUAL_NETWORK, to: VIRTUAL_NETWORK, ports: BASTION_DATA, protocol: "*" },
  ],
  outbound: [
    { name: "login", to: VIRTUAL_NETWORK, ports: REMOTE_LOGIN, protocol: "*" },
    { name: "azure", to: "AzureCloud", ports: HTTPS },
    { name: "data", from: VIRTUAL_NETWORK, to: VIRTUAL_NETWORK, ports: BASTION_DATA, protocol: "*" },
    { name: "certificates", to: INTERNET, ports: ["80"], protocol: "*" },
  ],
};

function limits({ ranges, outbound, mountsShare }: NetworkFacts, slotPorts: string[], publicPorts: string[]) {
  const own: Readonly<Record<Exclude<GuardedRole, "endpoints">, readonly AllowRule[]>> = {
    web: [
      { name: "endpoints", to: ranges.endpoints, ports: [...HTTPS, ...SQL, ...(mountsShare ? NFS : [])] },
      WINDOWS_ACTIVATION,
    ],
    proxy: [
      { name: "slots", to: ranges.web, ports: slotPorts },
      { name: "proxies", to: ranges.proxy, ports: publicPorts },
      { name: "endpoints", to: ranges.endpoints, ports: HTTPS },
    ],
    operations: [{ name: "endpoints", to: ranges.endpoints, ports: [...HTTPS, ...SQL] }],
  };
  return (role: keyof typeof own): Pick<GroupRules, "outbound"> => {
    if (outbound === undefined || outbound[role] === "any") return {};
    const further = outbound.destinations.map(({ to, ports }, index) => ({
      ...{ name: `destination-${index + 1}`, to, ports },
    }));
    return { outbound: [...own[role], ...SYSTEM, ...further] };
  };
}

function asTag(range: string, _: number, all: readonly string[]): string {
  return range === ANY_ADDRESS && all.length === 1 ? INTERNET : range;
}
