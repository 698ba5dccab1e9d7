/** The status contradicts a director's record if the users' port answers otherwise. */
import { gateOf } from "../../../cli/live/gate";
import { contradiction } from "../../../cli/live/users";
import type { ProxyStatus } from "../../../release/director-status";
import { RECORD, status } from "./snapshots";

type Users = NonNullable<ProxyStatus["users"]>;
const answers = (releaseId: string | null): Users => ({ healthy: true, releaseId, problem: "" });
const fails = (problem: string): Users => ({ healthy: false, releaseId: null, problem });
const CANDIDATE = { slot: "green", releaseId: "1.4.0-17" } as const;
const DIVIDED = { live: "blue", weight: 25, mode: "serve", offset: 0, fallback: true } as const;
const CLOSED = { live: null, weight: 0, mode: "serve", offset: 0, fallback: false } as const;

test.each<[string, ProxyStatus, string | null]>([
  ["the stable release", status({ finished: true }, { users: answers("1.3.0-16") }), null],
  [
    "the candidate, at its weight",
    status({ weight: 25, candidate: CANDIDATE }, { traffic: DIVIDED, users: answers("1.4.0-17") }),
    null,
  ],
  ["a director of version 0.1.0 does not ask", status({ finished: true }), null],
  [
    "the page during a recreate",
    status({}, { traffic: { ...CLOSED, live: "blue", mode: "page" }, users: fails("answers 503, not 200") }),
    null,
  ],
  [
    "nothing was ever live",
    status({ finished: true, stable: null }, { traffic: CLOSED, users: fails("answers 503, not 200") }),
    null,
  ],
  [
    "a new proxy that serves nothing",
    status({ finished: true }, { traffic: CLOSED, users: fails("answers 503, not 200") }),
    "users of proxy-1 get no release: it serves no slot, though its director recorded 1.3.0-16",
  ],
  [
    "no server answers",
    status({ finished: true }, { users: fails("answers 503, not 200") }),
    "users of proxy-1 get no release: its port fails (answers 503, not 200); its director recorded 1.3.0-16",
  ],
  [
    "another program has the port of the slot",
    status({ finished: true }, { users: answers(null) }),
    "users of proxy-1 get an answer without a release id, though its director recorded 1.3.0-16",
  ],
  [
    "another release",
    status({ finished: true, candidate: CANDIDATE }, { users: answers("1.4.0-17") }),
    "users of proxy-1 get 1.4.0-17, though its director recorded 1.3.0-16",
  ],
])("%s", (_, seen, expected) => {
  expect(contradiction(seen)).toBe(expected);
});

test("the live view shows it as something that a person decides", () => {
  const seen = status({ finished: true }, { users: answers("1.0.0-3") });
  expect(gateOf(seen, RECORD)).toMatchObject({
    what: "users of proxy-1 get 1.0.0-3, though its director recorded 1.3.0-16",
    mood: "frozen",
  });
});
