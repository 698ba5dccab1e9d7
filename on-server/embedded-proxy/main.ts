/**
 * The embedded proxy, for a machine without HAProxy. One process beside the servers' folders; the director controls it
 * over a Unix socket, as it does HAProxy.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { createProxyServer } from "httpxy";
import { writeAtomically } from "../../system/atomic-file";
import {
  announced,
  CLOSED,
  failsOver,
  parseTraffic,
  SEQUENCE_PATH,
  trafficEntries,
} from "../director/drivers/driver";
import type { SlotCounts, Traffic } from "../director/drivers/driver";
import {
  ADMIN_SOCKET,
  EXCLUDED_FILE,
  parseSettings,
  SETTINGS_FILE,
  TRAFFIC_FILE,
} from "../director/drivers/embedded/embedded-settings";
import type { Rotation } from "../director/drivers/embedded/embedded-settings";
import { NOTHING_DEPLOYED, UPDATING } from "../director/drivers/pages";
import { readOut } from "../director/drivers/rotation";
import { OwnConnections } from "./own-connections";
import { PopularPages } from "../director/drivers/popular-pages";
import { TrustedBalancers } from "../director/drivers/trusted-balancers";
import { normalPath } from "../../configuration/private-paths";
import { otherSlot } from "../../release/slot";
import type { Slot } from "../../release/slot";
import { adminServer } from "./admin";
import { Affinity } from "./affinity";
import { passTrailers, prepareAnswer } from "./answer-headers";
import { Endpoints } from "./endpoints";
import type { Client, ProxiedEndpoint } from "./endpoints";
import { Exchange, responseTo } from "./exchange";
import { FailoverAgent } from "./failover-agent";
import type { Failover } from "./failover-agent";
import { HeldAgent } from "./held-agent";
import { refuse, sendPage } from "./refusal";
import { addressOf, dropUpgrade, prepareHeaders } from "./request-headers";
import { isPreview, route } from "./route";
import { SlotCounter } from "./slot-counter";
import { originForm, UserRequest } from "./user-request";
import { UserResponse } from "./user-response";

// It serves until it is stopped. If the event loop runs empty, it failed.
process.exitCode = 1;

// Only this user may use the admin socket.
process.umask(0o177);

/** A request that a slot gets. */
interface Chosen {
  readonly slot: Slot;
  readonly insteadOf: Slot | null;
  readonly endpoint: ProxiedEndpoint | undefined;
  /** Null without affinity. */
  readonly stays: Client | null;
  readonly drawnBucket: number | null;
  readonly isPreview: boolean;
  readonly client: string;
}

interface Sent {
  readonly exchange: Exchange;
  readonly chosen: Chosen;
  /** Where it is, after any failover. */
  at: { readonly slot: Slot; readonly endpoint: ProxiedEndpoint | undefined };
}

const MILLISECONDS = 1_000;
/** How often Node looks for requests whose headers take too long. */
const HEADERS_CHECK_MS = 1_000;

const settings = parseSettings(readFileSync(SETTINGS_FILE, "utf8"));
const { http } = settings;
const headerBytes = http.headerKilobytes * 1_024;
const trusted = new TrustedBalancers(http.trusted);
UserResponse.follow(http, trusted);
const endpoints = new Endpoints(settings, readOut(EXCLUDED_FILE));
const counted = { blue: new SlotCounter(), green: new SlotCounter() };
const notPages = [normalPath(settings.check.path), ...settings.privatePaths];
const pages = { blue: new PopularPages(notPages), green: new PopularPages(notPages) };
const affinity = settings.sessions && new Affinity(settings.sessions, settings.endpoints);
/** While a director counts answers. */
let isWatched = false;
let traffic = readTraffic();
affinity?.follow(traffic);

/** The request that the proxy library is sending, for the agents. */
const sending = new AsyncLocalStorage<Sent>();
const exchanges = new WeakMap<IncomingMessage, Sent>();
/** The last request on a user's connection. */
const latest = new WeakMap<Socket, Exchange>();

const failoverAgent = (slot: Slot, keepAlive: boolean, mayLeaveSlot: boolean) =>
  new FailoverAgent({ keepAlive, headerBytes }, () => failoverOf(slot, mayLeaveSlot));
/** A stopping instance may be closing idle connections; a preview gets its slot or nothing. */
const careful = { blue: failoverAgent("blue", false, false), green: failoverAgent("green", false, false) };
const held = new HeldAgent({ headerBytes }, () => {
  const sent = sending.getStore();
  return () => sent?.exchange.hasClient === true;
});
const agents = {
  serve: { blue: failoverAgent("blue", true, true), green: failoverAgent("green", true, true) },
  hold: { blue: held, green: held },
  page: careful,
};

/** Of a client that authenticates its connection: its requests follow one another on one connection to an instance. */
const own = new OwnConnections(
  (slot) => new FailoverAgent({ keepAlive: true, maxSockets: 1, headerBytes }, () => failoverOf(slot, true)),
);

const proxy = createProxyServer({});
const limitSilence = (sent: Parameters<Exchange["limitSilence"]>[0], request: IncomingMessage) =>
  exchanges.get(request)?.exchange.limitSilence(sent, http.answerSeconds * MILLISECONDS);
proxy.on("proxyReq", (sent, request) => {
  limitSilence(sent, request);
  // The instance may refuse before there is a body.
  if (!request.complete) sent.flushHeaders();
});
proxy.on("proxyReqWs", (sent, request) => {
  limitSilence(sent, request);
  exchanges.get(request)?.exchange.followUpgrade(sent);
});
proxy.on("proxyRes", (answer, request, response) => {
  const sent = exchanges.get(request)!;
  sent.exchange.follow(answer);
  prepareAnswer(answer, sent.chosen, serverCookie(request, sent));
  passTrailers(answer, response as ServerResponse);
});
proxy.on("open", (instance) => {
  instance.setTimeout(http.tunnelSeconds * MILLISECONDS, () => instance.destroy());
});
proxy.on("error", (error, request) => exchanges.get(request!)?.exchange.fail(error));

const users = createServer(
  {
    IncomingMessage: UserRequest,
    ServerResponse: UserResponse,
    maxHeaderSize: headerBytes,
    headersTimeout: http.headersSeconds * MILLISECONDS,
    keepAliveTimeout: http.idleSeconds * MILLISECONDS,
    connectionsCheckingInterval: HEADERS_CHECK_MS,
    // Only silence is limited.
    requestTimeout: 0,
  },
  (request, response) => serve(request, response),
);
// None is dropped silently.
users.maxHeadersCount = 0;
users.setTimeout(http.clientSeconds * MILLISECONDS, (socket: Socket) => {
  if (latest.get(socket)?.isClientsTurn() ?? true) socket.destroy();
  else socket.setTimeout(http.clientSeconds * MILLISECONDS);
});
users.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
  if (isTooLarge(request)) return void refuse(request, response.setHeader("connection", "close"), 413);
  response.writeContinue();
  serve(request, response);
});
users.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
  const chosen = admit(request, () => responseTo(request));
  if (chosen === null) return;
  const { slot } = chosen;
  counted[slot].runs(socket, serverOf(chosen));
  const sent = begin(request, null, chosen);
  const target = targetOf(request, chosen);
  if (target === null) return void sendPage(request, responseTo(request), UPDATING);
  sending.run(sent, () => void proxy.ws(request, socket, target, head));
});
users.on("connect", (request: IncomingMessage) => refuse(request, responseTo(request), 405));

const admin = adminServer({
  "GET /traffic": () => trafficEntries(traffic),
  "PUT /traffic": changeTraffic,
  "GET /counts": () => ({ blue: slotCounts("blue"), green: slotCounts("green") }),
  "GET /pages": () => (traffic.live === null ? [] : pages[traffic.live].most()),
  "GET /idle": () => ({ blue: idleSeconds("blue"), green: idleSeconds("green") }),
  "GET /activity": () => ({ blue: activityIn("blue"), green: activityIn("green") }),
  "PUT /watch": (wanted) => watch(wanted === true),
  "PUT /rotation": rotate,
  "PUT /cut": cut,
});

process.on("SIGTERM", () => {
  rmSync(ADMIN_SOCKET, { force: true });
  users.close(() => process.exit(0));
  users.closeIdleConnections();
  setTimeout(() => process.exit(0), 5_000).unref();
});

users.once("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
users.listen(settings.port, settings.host, () => {
  rmSync(ADMIN_SOCKET, { force: true });
  admin.listen(ADMIN_SOCKET);
  endpoints.startChecks();
});

function serve(request: IncomingMessage, response: ServerResponse): void {
  if (request.url === "/proxy-healthz") {
    const { ready } = announced();
    return void response.writeHead(ready ? 200 : 503).end(ready ? "OK\n" : "behind the other proxies\n");
  }
  if (request.url === SEQUENCE_PATH) return void response.end(`${announced().sequence}\n`);
  if (isTooLarge(request)) return refuse(request, response, 413);
  const chosen = admit(request, () => response);
  if (chosen === null) return;
  dropUpgrade(request);
  const { slot } = chosen;
  if (chosen.isPreview) response.setHeader("x-bluegreen-slot", slot).setHeader("cache-control", "no-store");
  counted[slot].runs(response, serverOf(chosen));
  const sent = begin(request, response, chosen);
  const target = targetOf(request, chosen);
  if (target === null) return sendPage(request, response, UPDATING);
  sending.run(sent, () => void proxy.web(request, response, target));
}

/** Decides where a request goes. @returns null if the proxy has answered it. */
function admit(request: IncomingMessage, response: () => ServerResponse): Chosen | null {
  request.url = originForm(request.url ?? "/");
  if (settings.privatePaths.length > 0 && settings.privatePaths.includes(normalPath(request.url))) {
    refuse(request, response(), 404);
    return null;
  }
  const preview = isPreview(request, settings.preview);
  const draw = () => Math.floor(Math.random() * 100);
  const { cookie } = request.headers;
  const known = preview ? null : (affinity?.serverOf(cookie) ?? null);
  const kept = known !== null && endpoints.keeps(known.slot, known.server) ? known : null;
  const isUp = (slot: Slot) =>
    endpoints.isUp(slot) || (kept?.slot === slot && endpoints.isWell(slot, kept.server));
  const healthy = { blue: isUp("blue"), green: isUp("green") };
  const way = route(traffic, cookie, healthy, draw, preview, kept?.slot);
  const { slot, insteadOf, bucket, drawnBucket } = way;
  if (slot === null) {
    sendPage(request, response(), NOTHING_DEPLOYED);
    return null;
  }
  const address = trusted.clientOf(addressOf(request), String(request.headers["x-forwarded-for"] ?? ""));
  prepareHeaders(request, trusted);
  const server = kept?.slot === slot ? kept.server : null;
  const stays = affinity === undefined ? null : { address, server };
  const before = own.endpointOf(request, slot);
  const goesOn = before !== undefined && endpoints.takesRequests(slot, before);
  return {
    ...{ slot, insteadOf, endpoint: goesOn ? before : endpoints.next(slot, stays), stays, drawnBucket },
    ...{ isPreview: preview, client: `${address}|${bucket ?? ""}` },
  };
}

function begin(request: IncomingMessage, response: ServerResponse | null, chosen: Chosen): Sent {
  const { slot, insteadOf, endpoint, client, isPreview: preview } = chosen;
  const server = serverOf(chosen);
  const count = preview ? null : counted[insteadOf ?? slot].begin(client, server);
  if (insteadOf !== null) count?.failed();
  const { method, url = "" } = request;
  const exchange = new Exchange(request, response, count, (status) => {
    if (isWatched && !preview && method === "GET" && status < 400) pages[slot].add(url);
  });
  const sent = { exchange, chosen, at: { slot, endpoint } };
  exchanges.set(request, sent);
  latest.set(request.socket, exchange);
  return sent;
}

/** undefined if all are out of rotation. */
function serverOf({ slot, insteadOf, endpoint }: Chosen): string | undefined {
  return endpoint && endpoints.serverOf(insteadOf ?? slot, endpoint);
}

/** With affinity: the cookie for a client that has no token of the server that answered. */
function serverCookie({ headers, url = "" }: IncomingMessage, { at, chosen }: Sent): string | null {
  const server = at.endpoint && endpoints.serverOf(at.slot, at.endpoint);
  if (affinity === undefined || server === undefined || chosen.isPreview) return null;
  return affinity.cookieFor(at.slot, server, headers, url);
}

/** Where the proxy library sends a request; null if all servers are out of rotation. */
function targetOf(request: IncomingMessage, { slot, endpoint, isPreview: preview }: Chosen) {
  if (endpoint === undefined) return null;
  const shared = (preview ? careful : agents[traffic.mode])[slot];
  // The others use no connection twice.
  const agent = shared === agents.serve[slot] ? (own.agentFor(request, slot, endpoint) ?? shared) : shared;
  return { target: { ...endpoint, protocol: "http:" }, agent };
}

/**
 * The failover of one request: to each other server of the slot. While both slots are verified, also to those of the other
 * slot: that counts as this slot's error.
 */
function failoverOf(slot: Slot, mayLeaveSlot: boolean): Failover {
  const sent = sending.getStore();
  const exchange = sent?.exchange;
  const tried: ProxiedEndpoint[] = [];
  const untried = (of: Slot): ProxiedEndpoint | undefined => {
    const next = endpoints.isUp(of) ? endpoints.next(of, sent?.chosen.stays ?? null, tried) : undefined;
    if (next !== undefined && sent !== undefined) sent.at = { slot: of, endpoint: next };
    return next;
  };
  return (unreachable) => {
    const other = otherSlot(slot);
    tried.push(unreachable);
    if (mayLeaveSlot) for (const each of [slot, other]) endpoints.refused(each, unreachable);
    if (exchange?.hasClient === false) return undefined;
    const next = untried(slot);
    const server = next && endpoints.serverOf(slot, next);
    if (server !== undefined) exchange?.count?.movesTo(server);
    if (next !== undefined || !mayLeaveSlot || !failsOver(traffic, slot)) return next;
    exchange?.count?.failed();
    return untried(other);
  };
}

function isTooLarge({ headers }: IncomingMessage): boolean {
  return Number(headers["content-length"] ?? 0) > http.bodyMegabytes * 1_024 * 1_024;
}

function slotCounts(slot: Slot): SlotCounts {
  const counter = counted[slot];
  const health = endpoints.health(slot).map((each) => ({ ...each, ...counter.ofServer(each.server) }));
  return { ...counter.counts(), endpoints: health };
}

/** After a restart the proxy does not know more than that it got no request since. */
function idleSeconds(slot: Slot): number {
  return counted[slot].idleSeconds ?? process.uptime();
}

function activityIn(slot: Slot) {
  const activityOf = (server: string) => {
    const { running, idleSeconds: idle } = counted[slot].activityOf(server);
    return [server, { running, idleSeconds: idle ?? process.uptime() }];
  };
  return Object.fromEntries(settings.endpoints[slot].map(({ server }) => activityOf(server)));
}

function watch(wanted: boolean): boolean {
  isWatched = wanted;
  for (const counter of Object.values(counted)) counter.watch(wanted);
  return wanted;
}

function cut(slot: unknown): unknown {
  counted[slot as Slot].cut();
  return slot;
}

function changeTraffic(asked: unknown): unknown {
  const wanted = parseTraffic(new Map(asked as [string, string][]));
  writeAtomically(TRAFFIC_FILE, JSON.stringify(trafficEntries(wanted)));
  traffic = wanted;
  affinity?.follow(wanted);
  if (!wanted.fallback) watch(false);
  return trafficEntries(traffic);
}

function rotate(asked: unknown): unknown {
  const out = endpoints.rotate(asked as Rotation);
  writeAtomically(EXCLUDED_FILE, JSON.stringify(out));
  return out;
}

function readTraffic(): Traffic {
  if (!existsSync(TRAFFIC_FILE)) return CLOSED;
  return parseTraffic(new Map(JSON.parse(readFileSync(TRAFFIC_FILE, "utf8")) as [string, string][]));
}
