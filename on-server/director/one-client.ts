/**
 * Keeps one client from deciding about a release: a candidate fails only if it also fails without any single client.
 * Pure. A client is an address, for IPv6 its /64, of which one visitor has all. An office behind NAT, a load test and
 * a balancer that is not trusted are one address with many clients: then its buckets are the clients.
 */
import { NOTHING, together } from "./analysis";
import type { Failed, Judgement, Sample } from "./analysis";
import type { ClientCounts, SlotCounts } from "./drivers/driver";

type Sides = { readonly candidate: Sample; readonly stable: Sample };

/** What one client got of both sides. */
type Clients = ReadonlyMap<string, Sides>;

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
 * Judges so that no single client turns a pass into a failure, nor hides one: a client with most answers of a side does
 * not speak for the others if these are enough to judge by.
 */
export function judgeWithoutOneClient(
  sides: Sides,
  judge: (candidate: Sample, stable: Sample) => Judgement,
  { shared, minimumRequests }: { readonly shared: string | null; readonly minimumRequests: number },
): Judgement {
  const clients = clientsOf(sides, shared);
  const judged = standing(sides, clients, judge);
  if (judged.verdict === "fail") return judged;
  for (const [name, client] of clients) {
    const others = without(sides, client);
    if (!dominates(client, sides, others, minimumRequests)) continue;
    const rest = standing(others, new Map([...clients].filter(([other]) => other !== name)), judge);
    if (rest.verdict === "fail") return rest;
  }
  return judged;
}

/** The verdict of all, or, if it is a failure, the one without the client that contributes most to it. */
function standing(
  sides: Sides,
  clients: Clients,
  judge: (candidate: Sample, stable: Sample) => Judgement,
): Judgement {
  const all = judge(sides.candidate, sides.stable);
  if (all.verdict !== "fail") return all;
  let least: Failed = all;
  for (const client of clients.values()) {
    const { candidate, stable } = without(sides, client);
    const judged = judge(candidate, stable);
    const leftOut = client.candidate.errors;
    if (judged.verdict !== "fail") return { ...judged, leftOut };
    const more = least.excess - judged.excess || leftOut - (least.leftOut ?? 0);
    if (more <= 0) continue;
    const failures = leftOut === 1 ? "failure was" : "failures were";
    const reason =
      leftOut === 0 ? judged.reason : `${judged.reason}; one client's ${leftOut} ${failures} left out`;
    least = { ...judged, reason, leftOut };
  }
  return least;
}

function dominates(client: Sides, sides: Sides, others: Sides, minimumRequests: number): boolean {
  const each = ["candidate", "stable"] as const;
  return (
    each.some((side) => 2 * client[side].requests > sides[side].requests) &&
    each.every((side) => others[side].requests >= minimumRequests)
  );
}

function clientsOf(sides: Sides, shared: string | null): Clients {
  const clients = new Map<string, Sides>();
  for (const side of ["candidate", "stable"] as const) {
    for (const [key, counts] of Object.entries(sides[side].clients ?? {})) {
      const name = addressOf(key) === shared ? key : addressOf(key);
      const client = clients.get(name) ?? { candidate: NOTHING, stable: NOTHING };
      clients.set(name, { ...client, [side]: together(client[side], counts) });
    }
  }
  // At a weight of 1 % all clients of the address have the same bucket: it stands for none of them.
  const buckets = [...clients].filter(
    ([name, { candidate }]) => addressOf(name) === shared && candidate.requests > 0,
  );
  if (buckets.length === 1) clients.delete(buckets[0]![0]);
  return clients;
}

function without(sides: Sides, client: Sides): Sides {
  return { candidate: less(sides.candidate, client.candidate), stable: less(sides.stable, client.stable) };
}

/** Proxies count clients and slots one after the other, so a client may have more than its slot. */
function less(all: Sample, part: ClientCounts): Sample {
  const latency = Object.entries(all.latency).map(
    ([milliseconds, count]) =>
      [milliseconds, Math.max(0, count - (part.latency[Number(milliseconds)] ?? 0))] as const,
  );
  return {
    requests: Math.max(0, all.requests - part.requests),
    errors: Math.max(0, all.errors - part.errors),
    latency: Object.fromEntries(latency),
  };
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
