/**
 * A server that an operator takes out of use, to restart or patch it: its clients leave one by one, then it gets no requests
 * until it is returned. Pure.
 */
import * as z from "zod/mini";
import { lastRequest, timesLeft, whenFree } from "./draining";
import type { DrainLimits } from "./draining";
import { Refusal } from "./failure";
import type { Schedule } from "./schedule";
import type { PerSlot } from "./slot";
import { SLOTS } from "./slot";
import { isWayBack } from "./way-back";

/** What a proxy remembers of it. */
export const DrainedServer = z.strictObject({
  server: z.string(),
  /** Milliseconds since 1970. */
  since: z.number(),
  /** Whether it gets no requests any more. */
  isOut: z.boolean(),
});
export type DrainedServer = z.infer<typeof DrainedServer>;

/** What a proxy reports. Durations, because clocks of machines differ. */
export const ServerDrain = z.object({
  server: z.string(),
  isOut: z.boolean(),
  /** Since a client's last request; null if the proxy can't tell. */
  idleSeconds: z.nullable(z.number()),
  secondsLeft: z.number(),
  mostSeconds: z.number(),
});
export type ServerDrain = z.infer<typeof ServerDrain>;

/** The result of `director drain`. */
export const ServerDrainEnd = z.object({
  step: z.literal("drain"),
  outcome: z.enum(["draining", "drained", "returned"]),
  reason: z.string(),
  drain: z.nullable(ServerDrain),
});
export type ServerDrainEnd = z.infer<typeof ServerDrainEnd>;

/** What runs on a server: null if the proxy can't tell. */
export interface Activity {
  readonly running: number | null;
  readonly idleSeconds: number | null;
}

/** @param activity of the server's endpoint in each slot. @param now in milliseconds since 1970 */
export function serverDrainOf(
  { server, since, isOut }: DrainedServer,
  limits: DrainLimits,
  activity: readonly Activity[],
  now: number,
): ServerDrain {
  if (isOut) return { server, isOut, idleSeconds: null, secondsLeft: 0, mostSeconds: 0 };
  const { idleSeconds, secondsLeft, mostSeconds } = timesLeft(since, leastIdle(activity), limits, now);
  // A running request may have begun long ago. What is not known may run.
  const runs = activity.some(({ running }) => running !== 0);
  return { server, isOut, idleSeconds, secondsLeft: runs ? mostSeconds : secondsLeft, mostSeconds };
}

function leastIdle(activity: readonly Activity[]): number | null {
  if (activity.some(({ running }) => running !== null && running > 0)) return 0;
  const known = activity.flatMap(({ idleSeconds }) => idleSeconds ?? []);
  return known.length === 0 ? null : Math.min(...known);
}

export function describeServerDrain(
  { server, isOut, idleSeconds, secondsLeft, mostSeconds }: ServerDrain,
  now: number,
): string {
  if (isOut)
    return `${server} gets no requests. Restart or patch it; then \`bluegreen drain ${server} --end\` returns it`;
  if (secondsLeft === 0)
    return `${server} is idle here${lastRequest(idleSeconds)}: once it is so on all proxies, --now takes it out of use`;
  const free = whenFree({ secondsLeft, mostSeconds }, now);
  return `${server} gets no new clients, some are still active there${lastRequest(idleSeconds)}: it is free ${free}`;
}

/** What a sequence does to servers. */
interface Asked {
  readonly rollsBack?: boolean | undefined;
  readonly retry: boolean;
  readonly schedule: Pick<Schedule, "analysis">;
  readonly slots: PerSlot<unknown>;
  readonly touched: readonly string[];
  readonly converge: boolean;
  readonly healing: readonly string[];
  readonly endpoints: PerSlot<readonly { readonly server: string }[]>;
}

/** @throws Refusal if the sequence installs a release on a server that an operator may be restarting. */
export function requireNotDrained(asked: Asked, drained: readonly Pick<DrainedServer, "server">[]): void {
  const { slots, touched, converge, healing, endpoints } = asked;
  // It must be possible to leave a bad release, whatever became of the server.
  if (isWayBack(asked)) return;
  const installed = SLOTS.filter((slot) => converge || (touched.includes(slot) && slots[slot] !== null));
  const servers = installed.flatMap((slot) => endpoints[slot].map(({ server }) => server));
  const found = drained.find(({ server }) => servers.includes(server) && !healing.includes(server));
  if (found === undefined) return;
  throw new Refusal(
    "drained",
    `${found.server} was taken out of use by \`bluegreen drain\`, and this sequence installs a release there. Next: \`bluegreen drain ${found.server} --end\` once it runs again, or \`bluegreen heal ${found.server}\` if it was replaced`,
  );
}
