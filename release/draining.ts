/**
 * Draining of sessions: after a switch, clients of the release before stay on it while they are active. Whether that is over,
 * and what has to wait for it. Pure.
 */
import * as z from "zod/mini";
import { Refusal } from "./failure";
import type { Sequence } from "./sequence";
import { otherSlot, SLOTS } from "./slot";
import type { Slot } from "./slot";

/** A slot that users leave, as its proxy sees it. Durations, because clocks of machines differ. */
export const Draining = z.object({
  slot: z.enum(SLOTS),
  /** The release that was live there before. */
  releaseId: z.string(),
  /** Since a client's last request; null if the proxy can't tell. */
  idleSeconds: z.nullable(z.number()),
  /** Until all sessions are idle if no client asks again, or the limit is reached; 0: it is over. */
  secondsLeft: z.number(),
  /** Until a sequence that needs the slot does not wait any more, whoever asks. */
  mostSeconds: z.number(),
});
export type Draining = z.infer<typeof Draining>;

/** How long clients that stay are waited for, in seconds: since their last request, and in all. */
export interface DrainLimits {
  readonly idleSeconds: number;
  readonly atMostSeconds: number;
}

/** The part of the traffic value that says who stays. */
interface Kept {
  readonly live: Slot | null;
  readonly weight: number;
  readonly sessions?: Readonly<Record<Slot, string | null>> | undefined;
}

/** The release that only gets clients that stay on their servers: it was live before. null if there is none. */
export function releaseLeft({ live, weight, sessions }: Kept): { slot: Slot; releaseId: string } | null {
  if (live === null || weight > 0) return null;
  const slot = otherSlot(live);
  const releaseId = sessions?.[slot] ?? null;
  return releaseId === null ? null : { slot, releaseId };
}

/**
 * @param since when users began to leave the slot; null if that is not known. @param idleSeconds since the last request there,
 * if the proxy knows.
 * @param settings undefined: sessions do not drain any more. Times in milliseconds.
 */
export function drainingOf(
  left: { readonly slot: Slot; readonly releaseId: string },
  since: number | null,
  idleSeconds: number | null,
  settings: DrainLimits | undefined,
  now: number,
): Draining {
  return { ...left, ...timesLeft(since, idleSeconds, settings, now) };
}

/** How long clients that stay are still waited for. The parameters are those of {@link drainingOf}. */
export function timesLeft(
  since: number | null,
  idleSeconds: number | null,
  settings: DrainLimits | undefined,
  now: number,
): Pick<Draining, "idleSeconds" | "secondsLeft" | "mostSeconds"> {
  // If the clock was set back, `since` is later than now. That must not prolong it: then only the proxy knows.
  const passed = since === null || since > now ? null : (now - since) / 1000;
  const seconds = passed ?? 0;
  const idle = Math.max(0, Math.min(idleSeconds ?? seconds, passed ?? Infinity));
  const most = settings === undefined ? 0 : Math.max(0, settings.atMostSeconds - seconds);
  const untilIdle = settings === undefined ? 0 : Math.max(0, settings.idleSeconds - idle);
  return {
    idleSeconds: idleSeconds === null ? null : Math.round(idle),
    secondsLeft: Math.ceil(Math.min(most, untilIdle)),
    mostSeconds: Math.ceil(most),
  };
}

/** What a sequence asks of the slots. */
type Asked = Pick<Sequence, "slots" | "touched" | "converge" | "endSessions">;

/**
 * Whether a sequence replaces or empties the slot that users leave. Its install may be due from an earlier sequence, which was
 * refused.
 */
export function replacesLeft(
  { slots, touched, converge }: Asked,
  { slot, releaseId }: { readonly slot: Slot; readonly releaseId: string },
): boolean {
  return converge || touched.includes(slot) || slots[slot]?.releaseId !== releaseId;
}

/** Whether a sequence has to wait for them. */
export function waitsFor(asked: Asked, draining: Draining): boolean {
  return draining.secondsLeft > 0 && asked.endSessions === undefined && replacesLeft(asked, draining);
}

/** @throws Refusal with the moment from which the sequence may begin. */
export function requireDrained(asked: Asked, draining: Draining | null, now: number): void {
  if (draining === null || !waitsFor(asked, draining)) return;
  throw new Refusal(
    "draining",
    `${describeDraining(draining, now)}. Next: apply it again then, or end those sessions now: \`bluegreen retry --now\``,
  );
}

export function describeDraining(
  { slot, releaseId, idleSeconds, secondsLeft, mostSeconds }: Draining,
  now: number,
): string {
  const last = lastRequest(idleSeconds);
  const isOver =
    mostSeconds === 0
      ? `clients of ${releaseId} are no longer waited for`
      : `no client of ${releaseId} is active there`;
  if (secondsLeft === 0) return `${slot} is free: ${isOver}${last}`;
  return `clients of ${releaseId} are still active in ${slot}${last}: it is free ${whenFree({ secondsLeft, mostSeconds }, now)}`;
}

export function lastRequest(idleSeconds: number | null): string {
  return idleSeconds === null ? "" : `, the last request ${idleSeconds} s ago`;
}

/** `at 2026-01-02T03:04:05Z if none asks again, ...` */
export function whenFree(
  { secondsLeft, mostSeconds }: Pick<Draining, "secondsLeft" | "mostSeconds">,
  now: number,
) {
  const at = (seconds: number) => new Date(now + seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
  const latest = secondsLeft < mostSeconds ? ` if none asks again, at the latest at ${at(mostSeconds)}` : "";
  return `at ${at(secondsLeft)}${latest}`;
}
