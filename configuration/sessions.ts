/**
 * How users' sessions are treated by the proxies (docs/traffic.md, section 8). With affinity, a client stays on the server
 * that it met first, because applications keep sessions in memory. The proxies recognize it by a cookie with a token.
 *
 * A token names a server of a slot and the release there. It is a digest, so every proxy knows it without asking another,
 * and it is no secret: it chooses among the servers that users get anyway. A token of another environment, or of an earlier
 * release in the slot, is unknown, and counts as none.
 */
import { createHash } from "node:crypto";
import * as z from "zod/mini";
import type { DrainLimits } from "../release/draining";
import { InvalidInput } from "../release/failure";
import { HTTP_PATH, matches } from "../release/patterns";
import type { PerSlot, Slot } from "../release/slot";
import { SLOTS } from "../release/slot";
import type { Schedule } from "../release/schedule";
import type { DRIVER_NAMES } from "./drivers";

export const AFFINITIES = ["none", "server"] as const;

const Drain = z.strictObject({
  /**
   * How long an application keeps a session that its user does not use, in seconds. A client that asks nothing for as long
   * gets the new release with its next request. @default 1200
   */
  idleSeconds: z._default(z.int().check(z.minimum(1), z.maximum(86_400)), 1_200),
  /** How long a later release waits at most for active clients of the old one, in seconds, from the switch. @default 14400 */
  atMostSeconds: z._default(z.int().check(z.minimum(1), z.maximum(604_800)), 14_400),
});

/** @internal */
export const Sessions = z.strictObject({
  /**
   * "server": a client stays on the server that it met first, at rest and while traffic is divided. Not for driver "command".
   * @default "none"
   */
  affinity: z._default(z.enum(AFFINITIES), "none"),
  /**
   * Answers to paths that begin so get no cookie: assets, calls of programs. A client with a cookie keeps its server there,
   * too. @default none
   */
  withoutCookie: z._default(z.array(matches(HTTP_PATH, "path")).check(z.maxLength(50)), []),
  /**
   * After a switch, clients of the release before stay on it while they are active; new clients get the new release. Needs
   * affinity "server". @default none: all clients move at the switch
   */
  drain: z.optional(Drain),
});
/** How users' sessions are treated. */
export interface Sessions extends z.infer<typeof Sessions> {}

/** Whether clients stay on their servers. */
export function hasAffinity({ sessions }: { readonly sessions?: Sessions | undefined }): boolean {
  return sessions?.affinity === "server";
}

/** Whether clients of the release before stay on it after a switch. */
export function drains(site: { readonly sessions?: Sessions | undefined }): boolean {
  return hasAffinity(site) && site.sessions?.drain !== undefined;
}

/**
 * How long the clients of one server are waited for when an operator takes it out of use. Without affinity none stays, and only
 * what runs is waited for.
 */
export function serverDrainLimits({
  sessions,
  schedule,
}: {
  readonly sessions?: Sessions | undefined;
  readonly schedule: Pick<Schedule, "drainSeconds">;
}): DrainLimits {
  if (!hasAffinity({ sessions })) return { idleSeconds: 0, atMostSeconds: schedule.drainSeconds };
  return sessions?.drain ?? z.parse(Drain, {});
}

/** After how many seconds browsers drop a token; undefined: at their sessions' end. */
export function tokenSeconds(sessions: Pick<Sessions, "drain"> | undefined): number | undefined {
  return sessions?.drain?.idleSeconds;
}

/** The release ids whose clients stay on their servers, by slot; null: those of no release in this slot. */
export type KeptReleases = PerSlot<string | null>;

const DIGEST_LENGTH = 22;
/** What a token looks like, for proxies that use it as a file's name: `b1.` and a digest. */
export const TOKEN_PATTERN = `[bg][0-9]{1,3}[.][A-Za-z0-9_-]{${DIGEST_LENGTH}}`;

/** What a token has after the dot. The server's name is in it: another one may get its number. */
function digestOf(
  { application, environment }: { readonly application: string; readonly environment: string },
  slot: Slot,
  releaseId: string,
  server: string,
): string {
  const named = JSON.stringify([application, environment, slot, releaseId, server]);
  return createHash("sha256").update(named).digest("base64url").slice(0, DIGEST_LENGTH);
}

/** What a slot's token has before the dot. @param number the server's place among the slot's endpoints, from 1 */
export function placeOf(slot: Slot, number: number): string {
  return `${slot.slice(0, 1)}${number}`;
}

/** @param number see {@link placeOf} */
function tokenOf(slot: Slot, number: number, digest: string): string {
  return `${placeOf(slot, number)}.${digest}`;
}

export interface ServerToken {
  readonly token: string;
  readonly slot: Slot;
  readonly server: string;
  /** From 1. */
  readonly number: number;
}

/** All tokens that are valid now. */
export function serverTokens(
  spec: {
    readonly application: string;
    readonly environment: string;
    readonly endpoints: PerSlot<readonly { readonly server: string }[]>;
  },
  kept: KeptReleases,
): ServerToken[] {
  return SLOTS.flatMap((slot) => {
    const releaseId = kept[slot];
    if (releaseId === null) return [];
    return spec.endpoints[slot].map(({ server }, index) => {
      const number = index + 1;
      const digest = digestOf(spec, slot, releaseId, server);
      return { token: tokenOf(slot, number, digest), slot, server, number };
    });
  });
}

/** The same of a site with affinity; none without it, or before the traffic names releases. */
export function validTokens(
  spec: Parameters<typeof serverTokens>[0] & { readonly sessions?: Sessions | undefined },
  kept: KeptReleases | undefined,
): ServerToken[] {
  return kept !== undefined && hasAffinity(spec) ? serverTokens(spec, kept) : [];
}

/** What can't work together. @throws InvalidInput with the reason. */
export function refuseImpossibleSessions(
  { affinity, drain }: Sessions,
  driver: (typeof DRIVER_NAMES)[number],
  { afterPromotion }: Pick<Schedule, "afterPromotion">,
  field: "driver" | "proxies.driver",
): void {
  if (affinity === "server" && driver === "command") {
    throw new InvalidInput(
      `sessions.affinity is "server", but with ${field} "command" the proxy's configuration is yours: configure it there, and leave out "sessions"`,
    );
  }
  if (drain === undefined) return;
  if (affinity === "none") {
    throw new InvalidInput(
      `sessions.drain needs "affinity": "server": without it no client stays on a server, so there is nothing to drain`,
    );
  }
  if (drain.atMostSeconds < drain.idleSeconds) {
    throw new InvalidInput(
      `sessions.drain.atMostSeconds (${drain.atMostSeconds}) is less than idleSeconds (${drain.idleSeconds}): a session would end before it is idle`,
    );
  }
  if (afterPromotion === "converge") {
    throw new InvalidInput(
      `sessions.drain and schedule.afterPromotion "converge" exclude each other: the old release's slot gets the new one while clients still use it`,
    );
  }
}
