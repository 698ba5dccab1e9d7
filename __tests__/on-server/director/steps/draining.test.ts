/** Clients leave a release one by one, in a simulated world: what waits for them, and what ends their sessions. */
import { EXIT } from "../../../../release/exit-code";
import { recordInForce } from "../../../../release/in-force";
import type { ScheduleChoice } from "../../../../release/schedule";
import { status } from "../../../../on-server/director/steps/status";
import { Operator } from "../operator";
import { simulatedEnvironment, SimulatedWorld } from "../simulated-world";
import { CANARY } from "./worlds";

const DRAIN = { idleSeconds: 60, atMostSeconds: 600 };
const BLUE_GREEN: ScheduleChoice = { strategy: "blueGreen", bakeSeconds: 1, drainSeconds: 1 };

async function drainingWorld(schedule = BLUE_GREEN) {
  const environment = simulatedEnvironment(schedule);
  const sessions = { affinity: "server" as const, withoutCookie: [], drain: DRAIN };
  const world = new SimulatedWorld({ ...environment, sessions });
  const operator = new Operator(world);
  await operator.release("1.0.0");
  expect(world.traffic.sessions).toEqual({ blue: "1.0.0-1", green: null });
  const pass = (seconds: number) => (world.now += seconds * 1000);
  const events = () => world.state.journal.filter(({ event }) => event === "sessions");
  return { world, operator, pass, events };
}

/** 1.1.0 is live in green; clients of 1.0.0 stay in blue, active for ever. */
async function leavingWorld(schedule = BLUE_GREEN) {
  const made = await drainingWorld(schedule);
  made.world.activeMs = 3_600_000;
  const { result } = await made.operator.release("1.1.0");
  return { ...made, result };
}

test("clients of the release before stay after a switch", async () => {
  const { world, result, events } = await leavingWorld();
  expect(result).toMatchObject({
    exitCode: EXIT.done,
    outcome: "promoted",
    reason: "1.1.0-2 is live in green; clients of 1.0.0-1 stay in blue while they are active",
  });
  expect(world.traffic).toMatchObject({
    ...{ live: "green", weight: 0, fallback: false },
    sessions: { blue: "1.0.0-1", green: "1.1.0-2" },
  });
  expect(events()).toEqual([
    { at: expect.any(Number), event: "sessions", slot: "blue", releaseId: "1.0.0-1", clients: "stay" },
  ]);
});

test("they stay with stable through a canary, whatever its weight", async () => {
  const { world } = await leavingWorld(CANARY);
  expect(new Set(world.history.slice(1).map(({ sessions }) => JSON.stringify(sessions)))).toEqual(
    new Set([JSON.stringify({ blue: "1.0.0-1", green: "1.1.0-2" })]),
  );
});

test("a release into that slot waits: it is refused with the moment from which it may begin, and changes nothing", async () => {
  const { world, operator, pass } = await leavingWorld();
  const { traffic, state } = world;
  const { record } = operator;
  pass(100);
  const refused = await operator.release("1.2.0");
  const at = new Date(world.now + 60_000).toISOString().replace(/\.\d+Z$/, "Z");
  expect(refused.result).toMatchObject({ exitCode: EXIT.refused });
  expect(refused.result!.reason).toContain(
    `clients of 1.0.0-1 are still active in blue, the last request 0 s ago: it is free at ${at} if none asks again, at the latest at `,
  );
  expect(refused.result!.reason).toContain("`bluegreen retry --now`");
  expect(world.traffic).toBe(traffic);
  expect(world.state).toBe(state);

  // The same record goes through once they are idle.
  world.activeMs = 100_000;
  pass(61);
  expect(await operator.apply(refused.record)).toMatchObject({ result: { exitCode: EXIT.done } });
  expect(world.traffic).toMatchObject({ live: "blue", sessions: { blue: "1.2.0-3", green: "1.1.0-2" } });
  expect(record.sequence).toBe(2);
  expect(world.violations).toEqual([]);
});

test("a refused record that is taken back leaves the way to a rollback free, and those who stay", async () => {
  const { world, operator } = await leavingWorld();
  const { record } = operator;
  await operator.release("1.2.0");
  operator.record = record;
  expect((await operator.rollback()).result).toMatchObject({ exitCode: EXIT.done });
  expect(world.traffic).toMatchObject({ live: "blue", sessions: { blue: "1.0.0-1", green: "1.1.0-2" } });
});

test("one after they were idle does not wait; their sessions end before anything is installed", async () => {
  const { world, operator, pass, events } = await leavingWorld();
  world.activeMs = 0;
  pass(61);
  const first = world.history.length;
  expect((await operator.release("1.2.0")).result).toMatchObject({ exitCode: EXIT.done });
  expect(world.history[first]).toMatchObject({
    ...{ live: "green", weight: 0 },
    sessions: { blue: null, green: "1.1.0-2" },
  });
  expect(events().map((entry) => ({ ...entry, at: 0 }))).toEqual([
    { at: 0, event: "sessions", slot: "blue", releaseId: "1.0.0-1", clients: "ended", idleSeconds: 61 },
    { at: 0, event: "sessions", slot: "green", releaseId: "1.1.0-2", clients: "stay" },
  ]);
  expect(world.violations).toEqual([]);
});

test("none waits longer than the limit, however active they are", async () => {
  const { world, operator, pass } = await leavingWorld();
  pass(DRAIN.atMostSeconds - 30);
  expect((await operator.release("1.2.0")).result).toMatchObject({ exitCode: EXIT.refused });
  pass(31);
  expect((await operator.retry()).result).toMatchObject({ exitCode: EXIT.done });
  expect(world.violations).toEqual([]);
});

test("a running request counts as active, however long ago it began", async () => {
  const { world, operator, pass } = await leavingWorld();
  world.activeMs = 0;
  world.hasLongRequests = true;
  pass(61);
  (world as unknown as { busyUntil: { blue: number } }).busyUntil.blue = world.now + 1_000_000;
  expect((await operator.release("1.2.0")).result!.reason).toContain("the last request 0 s ago");
});

test("an operator ends the sessions in the needed slot; those of the release that is left next stay", async () => {
  const { world, operator } = await leavingWorld();
  const { result } = await operator.release("1.2.0", { endSessions: "replaced" });
  expect(result).toMatchObject({ exitCode: EXIT.done });
  expect(world.traffic.sessions).toEqual({ blue: "1.2.0-3", green: "1.1.0-2" });
  expect(world.violations).toEqual([]);
});

describe("a rollback of the live release", () => {
  test("starts from the record that was applied last, if the one after it is still refused", async () => {
    const { world, operator } = await leavingWorld();
    expect((await operator.release("1.2.0")).result).toMatchObject({ exitCode: EXIT.refused });
    await expect(operator.rollback()).rejects.toThrow("never became stable");
    operator.record = recordInForce(operator.record, [world.state]);
    expect((await operator.rollback()).result).toMatchObject({ exitCode: EXIT.done });
    expect(operator.record.sequence).toBe(4);
    expect(world.traffic).toMatchObject({ live: "blue", sessions: { blue: "1.0.0-1", green: "1.1.0-2" } });
    expect(world.violations).toEqual([]);
  });

  test("waits for none, and its clients leave it as in a release", async () => {
    const { world, operator } = await leavingWorld();
    expect((await operator.rollback()).result).toMatchObject({ exitCode: EXIT.done });
    expect(world.traffic).toMatchObject({ live: "blue", sessions: { blue: "1.0.0-1", green: "1.1.0-2" } });
  });

  test("moves all at once if the operator wants it so", async () => {
    const { world, operator, events } = await leavingWorld();
    expect((await operator.rollback("all")).result).toMatchObject({ exitCode: EXIT.done });
    expect(world.traffic).toMatchObject({ live: "blue", sessions: { blue: "1.0.0-1", green: null } });
    expect(events()).toEqual([
      expect.objectContaining({ slot: "green", releaseId: "1.1.0-2", clients: "ended", idleSeconds: 0 }),
    ]);
  });

  test("by hand on a proxy moves all at once", async () => {
    const { world, operator } = await leavingWorld();
    await world.run("rollback", operator.record);
    expect(world.traffic).toMatchObject({ live: "blue", sessions: { blue: "1.0.0-1", green: null } });
  });
});

test("a failed candidate loses its clients at once", async () => {
  const { world, operator, events } = await drainingWorld(CANARY);
  world.behaviours.set("1.1.0", "failsUnderTraffic");
  await operator.release("1.1.0");
  expect(world.traffic).toMatchObject({
    live: "blue",
    weight: 0,
    sessions: { blue: "1.0.0-1", green: null },
  });
  expect(events()).toEqual([expect.objectContaining({ releaseId: "1.1.0-2", clients: "ended" })]);
});

test("an abort of a paused candidate moves its clients at once", async () => {
  const { world, operator, events } = await drainingWorld(CANARY);
  await operator.release("1.1.0", { goal: 25 });
  expect(world.traffic.sessions).toEqual({ blue: "1.0.0-1", green: "1.1.0-2" });
  await world.run("abort", operator.record);
  expect(world.traffic).toMatchObject({
    live: "blue",
    weight: 0,
    sessions: { blue: "1.0.0-1", green: null },
  });
  expect(events()).toEqual([expect.objectContaining({ releaseId: "1.1.0-2", clients: "ended" })]);
});

test("a heal neither waits for them nor moves them", async () => {
  const { world, operator } = await leavingWorld();
  const { sessions } = world.traffic;
  expect((await operator.heal(["web-1"], { lost: "web-1" })).result).toMatchObject({ exitCode: EXIT.done });
  expect(world.traffic).toMatchObject({ live: "green", sessions: sessions! });
});

test("the next release's contract script runs after their sessions ended", async () => {
  const { world, operator, pass } = await leavingWorld();
  const works = { contracts: ["0003-drop.sql"] };
  world.contracts.set("1.1.0", works.contracts);
  world.activeMs = 0;
  pass(61);
  await operator.contract("0003-drop.sql");
  expect(world.violationsOf("I10")).toEqual([]);
});

test("status shows who is left, and when the slot is free", async () => {
  const { world, operator, pass } = await leavingWorld();
  world.activeMs = 0;
  pass(20);
  const { draining } = await status(world.director(), { asksAsUser: false });
  expect(draining).toEqual({
    slot: "blue",
    releaseId: "1.0.0-1",
    idleSeconds: 20,
    secondsLeft: 40,
    mostSeconds: 580,
  });
  expect(operator.record.sequence).toBe(2);
});

test("without the setting, or once it is removed, nothing waits", async () => {
  const { world, operator } = await leavingWorld();
  const { sessions: _, ...environment } = world.environment;
  (world as { environment: object }).environment = {
    ...environment,
    sessions: { affinity: "server", withoutCookie: [] },
  };
  expect((await operator.release("1.2.0")).result).toMatchObject({ exitCode: EXIT.done });
  expect(world.traffic.sessions).toEqual({ blue: "1.2.0-3", green: null });
});

test("a recreate keeps no session, not even in the other slot: its release runs alone", async () => {
  const { world, operator, events } = await leavingWorld();
  const first = world.history.length;
  const { result } = await operator.release("1.2.0", { schedule: { strategy: "recreate" } });
  expect(result).toMatchObject({ exitCode: EXIT.done, outcome: "recreated" });
  for (const { sessions } of world.history.slice(first))
    expect(sessions).toEqual({ blue: null, green: "1.2.0-3" });
  expect(events()[0]).toMatchObject({ slot: "blue", releaseId: "1.0.0-1", clients: "ended" });
});

describe("a director that is killed", () => {
  const crashes = Array.from({ length: 24 }, (_, index) => index + 1).flatMap((effect) =>
    (["before", "after"] as const).map((when) => ({ effect, when })),
  );

  test("at the switch: clients of the release before stay all the same, once the apply is repeated", async () => {
    let killed = 0;
    for (const crash of crashes) {
      const { world, operator } = await drainingWorld();
      world.activeMs = 3_600_000;
      world.crash = crash;
      const { result } = await operator.release("1.1.0");
      world.crash = null;
      if (result?.exitCode === "crashed") killed += 1;
      if (world.traffic.live !== "green") await operator.apply(operator.record);
      expect({ crash, sessions: world.traffic.sessions }).toEqual({
        crash,
        sessions: { blue: "1.0.0-1", green: "1.1.0-2" },
      });
    }
    expect(killed).toBeGreaterThan(30);
  });

  test("when it ends the sessions of the release before: the sequence does not wait once more", async () => {
    let killed = 0;
    for (const crash of crashes) {
      const { world, operator, pass } = await leavingWorld();
      world.activeMs = 0;
      pass(61);
      world.crash = crash;
      const { result } = await operator.release("1.2.0");
      world.crash = null;
      if (result?.exitCode !== "crashed") continue;
      killed += 1;
      const again = await operator.apply(operator.record);
      expect({ crash, reason: again.result?.reason }).toEqual({
        crash,
        reason: expect.not.stringContaining("still active") as string,
      });
    }
    expect(killed).toBeGreaterThan(30);
  });
});
