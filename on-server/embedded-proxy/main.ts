/**
 * The embedded proxy, for a machine without HAProxy. One process beside the servers' folders; the director controls it
 * over a Unix socket, as it does HAProxy.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { Agent, createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { createProxyServer } from "httpxy";
import type { ProxyServerOptions } from "httpxy";
import { writeAtomically } from "../../system/atomic-file";
import { announced, CLOSED, parseTraffic, SEQUENCE_PATH, trafficEntries } from "../director/drivers/driver";
import type { SlotCounts, Traffic } from "../director/drivers/driver";
import {
  ADMIN_SOCKET,
  EXCLUDED_FILE,
  SETTINGS_FILE,
  TRAFFIC_FILE,
} from "../director/drivers/embedded/embedded-settings";
import type { EmbeddedProxySettings, Rotation } from "../director/drivers/embedded/embedded-settings";
import { htmlOf, NOTHING_DEPLOYED, RETRY_AFTER_SECONDS, UPDATING } from "../director/drivers/pages";
import type { Page } from "../director/drivers/pages";
import { BUCKET_COOKIE } from "../../configuration/cookies";
import { PREVIEW_HEADER } from "../../configuration/preview";
import { otherSlot } from "../../release/slot";
import type { PerSlot, Slot } from "../../release/slot";
import { Endpoints } from "./endpoints";
import type { ProxiedEndpoint } from "./endpoints";
import { HeldAgent } from "./held-agent";
import { isPreview, route } from "./route";
import { SlotCounter } from "./slot-counter";
import { FailoverAgent } from "./failover-agent";

// It serves until it is stopped. If the event loop runs empty, it failed.
process.exitCode = 1;

// Only this user may use the admin socket.
process.umask(0o177);

const settings = JSON.parse(readFileSync(SETTINGS_FILE, "utf8")) as EmbeddedProxySettings;
const endpoints = new Endpoints(settings, readExcluded());
const agents = {
  serve: {
    blue: new FailoverAgent((refused) => failoverOf("blue", refused)),
    green: new FailoverAgent((refused) => failoverOf("green", refused)),
  },
  hold: new HeldAgent(),
  page: new Agent({ keepAlive: false }),
};
const counted = { blue: new SlotCounter(), green: new SlotCounter() };
const counters = new WeakMap<ServerResponse, { readonly slot: Slot; readonly at: number }>();
let traffic = readTraffic();

const proxy = createProxyServer({ xfwd: true });
// The proxy library replaces headers that are set already: add the bucket to the application's cookies.
proxy.on("proxyRes", (answer, _request, response) => {
  const begun = counters.get(response as ServerResponse);
  if (begun !== undefined) counted[begun.slot].answered(performance.now() - begun.at);
  const bucket = response.getHeader("set-cookie");
  const cookies = answer.headers["set-cookie"];
  if (bucket !== undefined && cookies !== undefined) cookies.push(...[bucket].flat().map(String));
});
proxy.on("error", (error, _request, response) => {
  if (response === undefined || !("setHeader" in response)) response?.destroy();
  else if (response.headersSent) response.destroy(error);
  else sendPage(response as ServerResponse, UPDATING);
});

const users = createServer((request, response) => {
  if (request.url === "/proxy-healthz") {
    const { ready } = announced();
    return void response.writeHead(ready ? 200 : 503).end(ready ? "OK\n" : "behind the other proxies\n");
  }
  if (request.url === SEQUENCE_PATH) return void response.end(`${announced().sequence}\n`);
  const chosen = chooseSlot(request);
  if (chosen === null) {
    return sendPage(response, traffic.live === null ? NOTHING_DEPLOYED : UPDATING);
  }
  const { slot, target, drawnBucket } = chosen;
  if (chosen.preview) response.setHeader("x-bluegreen-slot", slot);
  if (drawnBucket !== null) {
    response.appendHeader(
      "set-cookie",
      `${BUCKET_COOKIE}=${drawnBucket}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax`,
    );
  }
  if (chosen.preview) counted[slot].runs(response);
  else count(slot, request.socket, response);
  void proxy.web(request, response, target);
});
users.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
  const chosen = chooseSlot(request);
  if (chosen === null) return socket.destroy();
  counted[chosen.slot].runs(socket);
  void proxy.ws(request, socket, chosen.target, head);
  return undefined;
});
users.keepAliveTimeout = 75_000;

const admin = createServer((request, response) => {
  if (request.method === "PUT") {
    const changes: Record<string, (asked: unknown) => unknown> = { "/rotation": rotate, "/cut": cut };
    return void change(request, response, changes[request.url ?? ""] ?? changeTraffic);
  }
  if (request.url === "/counts")
    return void response.end(JSON.stringify({ blue: slotCounts("blue"), green: slotCounts("green") }));
  return void response.end(JSON.stringify(trafficEntries(traffic)));
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

function chooseSlot(request: IncomingMessage): {
  slot: Slot;
  target: ProxyServerOptions;
  drawnBucket: number | null;
  preview: boolean;
} | null {
  const healthy = { blue: endpoints.isUp("blue"), green: endpoints.isUp("green") };
  const preview = isPreview(request, settings.preview);
  delete request.headers[PREVIEW_HEADER];
  const draw = () => Math.floor(Math.random() * 100);
  const { slot, drawnBucket } = route(traffic, request.headers.cookie, healthy, draw, preview);
  const endpoint = slot === null ? undefined : endpoints.next(slot);
  if (slot === null || endpoint === undefined) return null;
  const usual = traffic.mode === "serve" ? agents.serve[slot] : agents[traffic.mode];
  const target = { target: { ...endpoint, protocol: "http:" }, agent: preview ? agents.page : usual };
  return { slot, target, drawnBucket, preview };
}

/**
 * Another server of the slot. While both slots are verified, also one of the other slot: that counts as this slot's
 * error.
 */
function failoverOf(slot: Slot, refused: ProxiedEndpoint): ProxiedEndpoint | undefined {
  const other = otherSlot(slot);
  for (const each of [slot, other]) endpoints.refused(each, refused);
  if (endpoints.isUp(slot)) return endpoints.next(slot);
  if (!traffic.fallback || !endpoints.isUp(other)) return undefined;
  counted[slot].errors += 1;
  return endpoints.next(other);
}

function count(slot: Slot, socket: Socket, response: ServerResponse): void {
  const counter = counted[slot];
  counter.requests += 1;
  counter.runs(response);
  counters.set(response, { slot, at: performance.now() });
  response.once("close", () => {
    if (response.statusCode >= 500 || (!response.writableFinished && !socket.destroyed)) counter.errors += 1;
  });
}

function cut(asked: unknown): unknown {
  counted[asked as Slot].cut();
  return asked;
}

function slotCounts(slot: Slot): SlotCounts {
  return { ...counted[slot].counts(), endpoints: endpoints.health(slot) };
}

/** Makes a change that the director asks for, and answers with the new state. */
async function change(
  request: IncomingMessage,
  response: ServerResponse,
  perform: (asked: unknown) => unknown,
): Promise<void> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    response.end(JSON.stringify(perform(JSON.parse(Buffer.concat(chunks).toString()))));
  } catch (error) {
    response.writeHead(400).end((error as Error).message);
  }
}

function changeTraffic(asked: unknown): unknown {
  const wanted = parseTraffic(new Map(asked as [string, string][]));
  writeAtomically(TRAFFIC_FILE, JSON.stringify(trafficEntries(wanted)));
  traffic = wanted;
  return trafficEntries(traffic);
}

function rotate(asked: unknown): unknown {
  const excluded = endpoints.rotate(asked as Rotation);
  writeAtomically(EXCLUDED_FILE, JSON.stringify(excluded));
  return excluded;
}

function readExcluded(): PerSlot<readonly string[]> {
  if (!existsSync(EXCLUDED_FILE)) return { blue: [], green: [] };
  return JSON.parse(readFileSync(EXCLUDED_FILE, "utf8")) as PerSlot<readonly string[]>;
}

function readTraffic(): Traffic {
  if (!existsSync(TRAFFIC_FILE)) return CLOSED;
  return parseTraffic(new Map(JSON.parse(readFileSync(TRAFFIC_FILE, "utf8")) as [string, string][]));
}

function sendPage(response: ServerResponse, page: Page): void {
  response
    .writeHead(503, { "content-type": "text/html; charset=utf-8", "retry-after": RETRY_AFTER_SECONDS })
    .end(htmlOf(page));
}
