/**
 * Who a client is. It is an address, for IPv6 its /64, of which one visitor has all. An office behind NAT, a load test and
 * a balancer that is not trusted are one address with many clients: then its buckets are the clients. Pure.
 */
import type { SlotCounts } from "../drivers/driver";

/**
 * The address that stands for many clients: it sent most requests to both slots, and the others too few to judge by.
 * null if there is none.
 */
export function sharedAddress(counts: readonly SlotCounts[], minimumRequests: number): string | null {
  const requests = new Map<string, number>();
  for (const [key, client] of counts.flatMap(({ clients = {} }) => Object.entries(clients))) {
    const address = addressOf(key);
    requests.set(address, (requests.get(address) ?? 0) + client.requests);
  }
  const all = [...requests.values()].reduce((sum, each) => sum + each, 0);
  const most = [...requests].find(([, each]) => 2 * each > all);
  return most !== undefined && all - most[1] < minimumRequests ? most[0] : null;
}

/**
 * @param key `<address>|<bucket>`
 * @returns null if nothing distinguishes the client: at a weight of 1 % all of a shared address have the same bucket.
 */
export function clientName(key: string, shared: string | null, weight: number): string | null {
  const address = addressOf(key);
  if (address !== shared) return address;
  return weight === 1 ? null : key;
}

/** The address of `<address>|<bucket>`; of an IPv6 address its first four groups. A client's name has no bucket. */
function addressOf(key: string): string {
  const [address = ""] = key.split("|");
  if (!address.includes(":") || address.includes(".")) return address.replace(/^::ffff:/i, "");
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - last.length) }, () => "0");
  return [...groups, ...zeros, ...last]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
