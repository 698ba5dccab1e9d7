/**
 * How NGINX keeps clients on their servers: `map` blocks that recognize a token, place a client that has none, and give the
 * token of the server that answered; and groups of servers with one before all others.
 *
 * A valid token is a file in the traffic folder. The configuration knows the servers in rotation, so a token of another one
 * has no file name at all. NGINX can't read a file, but resolves symlinks in `$realpath_root`: for each server there is one to
 * its token, which is how NGINX knows what to give.
 */
import { SECURE_SCHEMES, SERVER_COOKIE, serverAttributes } from "../../../../configuration/cookies";
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { placeOf, TOKEN_PATTERN, tokenSeconds } from "../../../../configuration/sessions";
import { SLOTS } from "../../../../release/slot";
import type { Slot } from "../../../../release/slot";
import { keepsClients } from "../rotation";
import type { OutOfRotation } from "../rotation";
import { MOST_BALANCERS } from "../trusted-balancers";
import { quoted } from "./request-maps";
import { GIVEN, LIVE } from "./traffic-folder";
import { KEPT } from "./upstreams";

interface Place {
  readonly name: string;
  readonly slot: Slot;
  readonly address: string;
  readonly inRotation: boolean;
  /** Whether those who have its cookie stay there. */
  readonly isKept: boolean;
}

function placesOf({ endpoints }: DirectorSpec, out: OutOfRotation): Place[] {
  return SLOTS.flatMap((slot) =>
    endpoints[slot].map(({ server, host, port }, index) => {
      const inRotation = !out[slot].includes(server);
      const isKept = inRotation || keepsClients(out, slot, server);
      return { name: placeOf(slot, index + 1), slot, address: `${host}:${port}`, inRotation, isKept };
    }),
  );
}

/** Servers out of rotation whose clients stay, and the log that has their requests. */
export function keptPlaces(spec: DirectorSpec, out: OutOfRotation) {
  return placesOf(spec, out).flatMap(({ name, inRotation, isKept }) =>
    isKept && !inRotation ? [{ name, stays: `$stays_at_${name}`, log: keptLog(name) }] : [],
  );
}

/** NGINX appends a line for each request: when it was changed is when the last one was. */
export function keptLog(place: string): string {
  return `leaving-${place}.log`;
}

export function affinityMaps(spec: DirectorSpec, out: OutOfRotation): string {
  const places = placesOf(spec, out);
  const noticed = keptPlaces(spec, out).map(
    ({ name, stays }) => `  map $stays ${stays} {\n    default '';\n    ${name} stays;\n  }\n`,
  );
  return [
    ...noticed,
    tokenMaps(places),
    clientMaps(spec.proxy.http.trusted),
    placementMaps(places, spec.proxy.http.trusted.length === 0 ? "$remote_addr" : "$client"),
    givenMaps(spec, places),
  ].join("");
}

/**
 * `$token_file`: empty without a cookie, with several, and with one of a server that keeps no clients. The pattern takes linear
 * time. Looking at it gives `$asked_place` and `$asked_token`, too.
 */
function tokenMaps(places: readonly Place[]): string {
  const name = `${SERVER_COOKIE}=`;
  const known = places.filter(({ isKept }) => isKept);
  const token = `(?=(?<asked_place>${known.map((place) => place.name).join("|")})[.])(?<asked_token>${TOKEN_PATTERN})`;
  const only = `^(?:(?!${name})[^;]*+;\\s*+)*+${name}${token}(?:;\\s*+(?!${name})[^;]*+)*+$`;
  return `  map $http_cookie $token_file {
    default '';
    ${quoted(`~${only}`)} ${LIVE}/$asked_token;
  }
  map $asked_place $asked_slot {
    default blue;
${known.flatMap((place) => (place.slot === "green" ? `    ${place.name} green;\n` : [])).join("")}  }
`;
}

/**
 * `$client`: the last address that no trusted balancer added, as `TrustedBalancers.clientOf`. Balancers of some clouds add a
 * port, which is another with each connection.
 */
function clientMaps(trusted: readonly string[]): string {
  if (trusted.length === 0) return "";
  const hops = Array.from({ length: MOST_BALANCERS }, (_, index) => index + 1);
  const address = (hop: number) =>
    `\\[?+(?<hop_${hop}_address>[0-9.]++|[0-9A-Fa-f:.]++)\\]?+(?::[0-9]++)?+\\s*+`;
  return `  map $balancer $client {
    default $client_1;
    '' $remote_addr;
  }
${hops
  .map((hop) => {
    const list = hop === 1 ? "$http_x_forwarded_for" : `$hops_${hop}`;
    const before = hop === MOST_BALANCERS ? `$hop_${hop}` : `$client_${hop + 1}`;
    return `  map ${list} $hop_${hop} {
    default '';
    ${quoted(`~^(?:.*,)?\\s*+${address(hop)}$`)} $hop_${hop}_address;
  }
  map ${list} $hops_${hop + 1} {
    default '';
    "~^(?<hops_before_${hop}>.*),[^,]*$" $hops_before_${hop};
  }
  geo $hop_${hop} $hop_${hop}_trusted {
    default '';
${trusted.map((range) => `    ${quoted(range)} trusted;\n`).join("")}  }
  map "$hop_${hop} $hop_${hop}_trusted" $client_${hop} {
    default $hop_${hop};
    "~^ " ${hop === 1 ? "$remote_addr" : `$hop_${hop - 1}`};
    "~ trusted$" ${before};
  }
`;
  })
  .join("")}`;
}

/** `$there` completes a group's name: the server that a client stays on, or else one by its address. */
function placementMaps(places: readonly Place[], client: string): string {
  const choices = SLOTS.map((slot) => ({
    slot,
    names: places.filter((place) => place.slot === slot && place.inRotation).map(({ name }) => name),
  }));
  const divided = choices.filter(({ names }) => names.length > 1);
  const choice = (slot: Slot, [first, ...others]: readonly string[]) =>
    first === undefined ? "" : `    ${slot} at_${others.length === 0 ? first : `$${slot}_place`};\n`;
  return `${divided.map(({ slot, names }) => split(client, `$${slot}_place`, names)).join("")}  map $slot $placed {
    default $slot;
${choices.map(({ slot, names }) => choice(slot, names)).join("")}  }
  map $stays $there {
    default at_$stays;
    '' $placed;
  }
`;
}

/** In equal parts, of which NGINX knows hundredths of a percent. */
function split(text: string, variable: string, values: readonly string[]): string {
  const until = (index: number) => Math.round((10_000 * index) / values.length);
  const part = (index: number) => ((until(index + 1) - until(index)) / 100).toFixed(2);
  const parts = values.map((value, index) =>
    index === values.length - 1 ? `    * ${value};\n` : `    ${part(index)}% ${value};\n`,
  );
  return `  split_clients ${text} ${variable} {\n${parts.join("")}  }\n`;
}

/**
 * `$server_cookie`: empty if the client's server answers, which is the usual case and costs one look. Where another server may
 * answer, `$stays` is empty, and NGINX evaluates the rest. An answer without a status from an instance is NGINX's.
 */
function givenMaps({ sessions, proxy }: DirectorSpec, places: readonly Place[]): string {
  const seconds = tokenSeconds(sessions);
  const answered = places.map(({ name, address }) => {
    return `    "${address}" ${name};\n    "~ ${address.replaceAll(".", "[.]")}$" ${name};\n`;
  });
  const literal = (path: string) =>
    path.replace(/[^A-Za-z0-9/]/g, (sign) => `\\x{${sign.charCodeAt(0).toString(16)}}`);
  const without = sessions!.withoutCookie.map((path) => `    ${quoted(`~^${literal(path)}`)} '';\n`);
  // TLS may end at a balancer in front.
  const isReported = proxy.tls === null && proxy.http.trusted.length > 0;
  const secure = SECURE_SCHEMES.map(
    (scheme) => `    ${quoted(`~*^${scheme}`)} ${quoted(serverAttributes(true, seconds))};\n`,
  );
  const attributes = isReported ? "$server_attributes" : serverAttributes(proxy.tls !== null, seconds);
  const attributesMap = `  map $forwarded_proto $server_attributes {
    default ${quoted(serverAttributes(false, seconds))};
${secure.join("")}  }
`;
  const cookie = (token: string) => quoted(`${SERVER_COOKIE}=${token}${attributes}`);
  const ifStaying = (name: string, staying: string, otherwise: string) =>
    `  map $stays ${name} {\n    default ${staying};\n    '' ${otherwise};\n  }\n`;
  // Where sessions drain, each answer renews the cookie.
  const renews = seconds !== undefined;
  return `${isReported ? attributesMap : ""}${renews ? ifStaying("$cookie_by_token", cookie("$asked_token"), "$cookie_by_link") : ifStaying("$server_cookie", "''", "$cookie_by_path")}  map $request_uri ${renews ? "$server_cookie" : "$cookie_by_path"} {
    default $cookie_by_answer;
${without.join("")}  }
  map $answer_kind $cookie_by_answer {
    default $cookie_by_status;
    shared '';
  }
  map $upstream_status $cookie_by_status {
    default '';
    "~[0-9]$" $cookie_by_token;
  }
  map $upstream_addr $answered {
    default '';
${answered.join("")}  }
  map $realpath_root ${renews ? "$cookie_by_link" : "$cookie_by_token"} {
    default '';
    ${quoted(`~/(?<given_token>${TOKEN_PATTERN})$`)} ${cookie("$given_token")};
  }
  map "$bucket_cookie$server_cookie" $cookie_privacy {
    default $privacy_by_answer;
    '' '';
  }
`;
}

/** Where `$realpath_root` looks. */
export const GIVEN_TOKEN = `${LIVE}/${GIVEN}$answered`;

/**
 * Each server that keeps its clients before the others of its slot, and of the other one. They are backups of one rank, so only their
 * weights keep those of the slot ahead, in all but one of a thousand failures.
 */
export function affinityGroups(spec: DirectorSpec, out: OutOfRotation): string {
  const places = placesOf(spec, out);
  const line = ({ address, inRotation }: Place, options: string) =>
    `    server ${address} max_fails=0${options}${inRotation ? "" : " down"};\n`;
  return places
    .filter(({ isKept }) => isKept)
    .map((place) => {
      const others = places.filter((other) => other !== place);
      const ofSlot = others.filter(({ slot }) => slot === place.slot);
      const ofOther = others.filter(({ slot }) => slot !== place.slot);
      const own = line({ ...place, inRotation: true }, "");
      const first = own + ofSlot.map((each) => line(each, " weight=1000 backup")).join("");
      const group = (name: string, servers: string) =>
        `  upstream ${name}_at_${place.name} {\n${servers}${KEPT}  }\n`;
      return (
        group("slot", first) + group("shift", first + ofOther.map((each) => line(each, " backup")).join(""))
      );
    })
    .join("");
}
