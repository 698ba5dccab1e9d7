/** Which slot a request goes to, by the same rules as the HAProxy configuration. Pure. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { BUCKET_COOKIE, PREVIEW_COOKIE } from "../../configuration/cookies";
import { PREVIEW_HEADER } from "../../configuration/preview";
import type { Preview } from "../../configuration/preview";
import { failsOver } from "../director/drivers/driver";
import type { Traffic } from "../director/drivers/driver";
import { otherSlot } from "../../release/slot";
import type { PerSlot, Slot } from "../../release/slot";

export interface Route {
  readonly slot: Slot | null;
  /** The slot that should have it, but has no healthy endpoint: the request counts as its error. */
  readonly insteadOf: Slot | null;
  /** The client's bucket, if it has one or gets one. */
  readonly bucket: number | null;
  /** Set if traffic is divided and the client has no bucket yet: the answer sets it as a cookie. */
  readonly drawnBucket: number | null;
}

/** @param keptIn with affinity, the slot of the server that the client stays on, whatever the weight */
export function route(
  traffic: Traffic,
  cookies: string | undefined,
  healthy: PerSlot<boolean>,
  drawBucket: () => number,
  isPreview = false,
  keptIn: Slot | null = null,
): Route {
  const { live, weight, offset } = traffic;
  if (isPreview) {
    const waiting = live === null ? (healthy.blue ? "blue" : "green") : otherSlot(live);
    return { slot: waiting, insteadOf: null, bucket: null, drawnBucket: null };
  }
  if (live === null) return { slot: null, insteadOf: null, bucket: null, drawnBucket: null };
  const divided = weight > 0 && weight < 100;
  const known = bucketOf(cookies);
  const drawnBucket = divided && known === null ? drawBucket() : null;
  const bucket = known ?? drawnBucket;
  const chosen = keptIn ?? (((bucket ?? 0) + offset) % 100 < weight ? otherSlot(live) : live);
  const other = otherSlot(chosen);
  if (!healthy[chosen] && healthy[other] && failsOver(traffic, chosen))
    return { slot: other, insteadOf: chosen, bucket, drawnBucket };
  return { slot: chosen, insteadOf: null, bucket, drawnBucket };
}

/** Whether the request has the secret of this digest. */
export function isPreview(
  { headers }: Pick<IncomingMessage, "headers">,
  preview: Pick<Preview, "sha256"> | null,
): boolean {
  if (preview === null) return false;
  const [, cookie] = new RegExp(`(?:^|;\\s*)${PREVIEW_COOKIE}=([^;]*)`).exec(headers.cookie ?? "") ?? [];
  const digest = (secret: string) => createHash("sha256").update(secret).digest();
  const expected = Buffer.from(preview.sha256, "hex");
  return [headers[PREVIEW_HEADER], cookie].some(
    (secret) => typeof secret === "string" && timingSafeEqual(digest(secret), expected),
  );
}

function bucketOf(cookies: string | undefined): number | null {
  const found = cookies && new RegExp(`(?:^|;\\s*)${BUCKET_COOKIE}=([0-9]{1,2})(?:;|$)`).exec(cookies);
  return found ? Number(found[1]) : null;
}
