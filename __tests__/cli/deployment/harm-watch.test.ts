/** When the command ends a release that harms users while no director runs. */
import { HarmWatch } from "../../../cli/deployment/harm-watch";
import type { PollResult } from "../../../cli/proxies/proxies";
import { emptyRecord } from "../../../release/record";

const HARM = "users of 1.0.0-1 got more failed answers";
const status = (harm?: string) =>
  ({
    proxy: "proxy-1",
    status: { ...(harm !== undefined && { harm }) },
    problem: null,
  }) as unknown as PollResult;
const INSTALL = "terraform_data.install-green-web-1";
const SWITCH = "terraform_data.switch-proxy-1";

/** The answers of the polls, in turn; then the release is over. */
function watchOf(polls: readonly PollResult[][], reachable = true) {
  const over = new AbortController();
  const left = [...polls];
  const poll = async () => {
    const answer = left.shift() ?? [];
    if (left.length === 0) setImmediate(() => over.abort());
    return answer;
  };
  const watch = new HarmWatch({ reachable, poll }, emptyRecord("demo"));
  return { watch, found: () => watch.harm(over.signal), asked: () => polls.length - left.length, over };
}

test("what a proxy reports while the release is installed has the step", async () => {
  const { watch, found } = watchOf([[status()], [status(), status(HARM)], [status()]]);
  watch.onStep(INSTALL, "started");
  expect(await found()).toBe(`${HARM}; install-green-web-1 ran`);
});

test("a proxy that does not answer is no reason", async () => {
  const silent: PollResult = { proxy: "proxy-1", status: null, problem: "no answer" };
  const { watch, found } = watchOf([[silent], [silent]]);
  watch.onStep(INSTALL, "started");
  expect(await found()).toBeNull();
});

test.each<[string, readonly [string, "started" | "done"][]]>([
  ["before the first install", []],
  [
    "after the last one",
    [
      [INSTALL, "started"],
      [INSTALL, "done"],
    ],
  ],
  [
    "once the director watches",
    [
      [INSTALL, "started"],
      [SWITCH, "started"],
    ],
  ],
])("proxies are not asked %s", async (_, steps) => {
  const { watch, found, asked, over } = watchOf([[status(HARM)]]);
  for (const [address, event] of steps) watch.onStep(address, event);
  setTimeout(() => over.abort(), 1_200);
  expect(await found()).toBeNull();
  expect(asked()).toBe(0);
});

test("proxies that can't be reached are not asked", async () => {
  const { watch, found } = watchOf([[status(HARM)]], false);
  watch.onStep(INSTALL, "started");
  expect(await found()).toBeNull();
});
