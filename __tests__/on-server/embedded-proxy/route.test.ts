import * as fc from "fast-check";
import { route } from "../../../on-server/embedded-proxy/route";
import type { Traffic } from "../../../on-server/director/drivers/driver";
import { otherSlot } from "../../../release/slot";

const UP = { blue: true, green: true };
const slot = fc.constantFrom("blue" as const, "green" as const);
const percent = fc.integer({ min: 0, max: 100 });
const bucket = fc.integer({ min: 0, max: 99 });

const serving = (live: Traffic["live"], weight: number, offset: number, fallback = false): Traffic => ({
  live,
  weight,
  offset,
  mode: "serve",
  fallback,
});

test("a client that has the candidate keeps it while the weight grows", () => {
  fc.assert(
    fc.property(slot, percent, percent, bucket, bucket, (live, one, other, offset, own) => {
      const [less, more] = [Math.min(one, other), Math.max(one, other)];
      const cookie = `x=1; bluegreen-bucket=${own}`;
      const at = (weight: number) => route(serving(live, weight, offset), cookie, UP, () => 0).slot;
      if (at(less) !== live) expect(at(more)).toBe(otherSlot(live));
    }),
  );
});

test("nobody is sent to a slot without a healthy endpoint while the other has one and stands in", () => {
  fc.assert(
    fc.property(slot, percent, bucket, bucket, slot, (live, weight, offset, own, down) => {
      const healthy = { ...UP, [down]: false };
      const chosen = route(serving(live, weight, offset, true), `bluegreen-bucket=${own}`, healthy, () => 0);
      expect(chosen.slot).toBe(otherSlot(down));
      const { insteadOf } = route(
        serving(live, weight, offset, true),
        `bluegreen-bucket=${own}`,
        UP,
        () => 0,
      );
      expect(insteadOf).toBeNull();
      const wanted = route(serving(live, weight, offset), `bluegreen-bucket=${own}`, UP, () => 0).slot;
      expect(chosen.insteadOf).toBe(wanted === down ? down : null);
    }),
  );
});

test("nothing live means no slot and no cookie, whatever the client brings", () => {
  expect(route(serving(null, 50, 0), "bluegreen-bucket=1", UP, () => 7)).toEqual({
    slot: null,
    insteadOf: null,
    bucket: null,
    drawnBucket: null,
  });
});

test("a bucket is drawn only for a client without one, and only while traffic is divided", () => {
  const drawn = (weight: number, cookie?: string) =>
    route(serving("blue", weight, 0), cookie, UP, () => 7).drawnBucket;
  expect([drawn(0), drawn(100), drawn(50, "bluegreen-bucket=3")]).toEqual([null, null, null]);
  expect([drawn(50), drawn(50, "bluegreen-bucket=100"), drawn(50, "no-bluegreen-bucket=3")]).toEqual([
    7, 7, 7,
  ]);
});
