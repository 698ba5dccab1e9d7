/** How many answers HAProxy measures while a release is watched, from counts alone. */
import { bucketsFor, LatencySampling } from "../../../on-server/director/drivers/haproxy/latency-sampling";

const SIZE = { minimumRequests: 20, intervalSeconds: 2 };

test.each([
  [0, 20, 50],
  [399, 20, 50],
  [400, 20, 50],
  [401, 20, 50],
  [1_000, 20, 20],
  [10_000, 20, 2],
  [10_000_000, 20, 2],
  [10_000, 100_000, 50],
])(
  "of %d answers, where a judgement needs %d, those of %d buckets of each side are measured",
  (requests, minimumRequests, expected) => {
    expect(bucketsFor(requests, { minimumRequests })).toBe(expected);
  },
);

test("a proxy that was restarted counts from nothing", () => {
  const sampling = new LatencySampling(SIZE);
  for (const at of [0, 1_000, 2_000]) sampling.follow(at, 30 * at);
  expect(sampling.buckets).toBe(2);
  sampling.follow(3_000, 100);
  expect(sampling.buckets).toBe(50);
});

test("the proxy is brought in line twice an interval, whether the number changed or not", () => {
  const sampling = new LatencySampling(SIZE);
  const due = [0, 250, 500, 750, 1000, 1250, 1999, 2000].filter((at) => sampling.follow(at, at));
  expect(due).toEqual([0, 1000, 2000]);
});
