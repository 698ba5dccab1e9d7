/** Who is told to work, and which ways back stay open: activation, smoke requests, contract migrations, retention. */
import type { Environment } from "../../../configuration/environment";
import { EXIT } from "../../../release/exit-code";
import type { HttpExchange } from "../../../configuration/http-exchange";
import type { ReleaseRecord } from "../../../release/record";
import type { ScheduleChoice } from "../../../release/schedule";
import { Operator } from "./operator";
import { artifact, simulatedEnvironment, SimulatedWorld } from "./simulated-world";

const exchange = (path: string): HttpExchange => ({
  method: "POST",
  path,
  headers: {},
  headerPatterns: {},
  status: 200,
});
const QUICK: ScheduleChoice = { strategy: "blueGreen", bakeSeconds: 1, drainSeconds: 1 };

async function live(
  changes: Partial<Pick<Environment, "activation" | "verification">>,
  schedule: ScheduleChoice = QUICK,
) {
  const world = new SimulatedWorld({ ...simulatedEnvironment(schedule), ...changes });
  const operator = new Operator(world);
  expect((await operator.release("1.0.0")).result?.exitCode).toBe(EXIT.done);
  const first = world.asked.splice(0);
  return { world, operator, first };
}

describe("activation", () => {
  const activation = { activate: exchange("/on"), deactivate: exchange("/off") };
  const all = (path: string, ...servers: string[]) => servers.map((server) => `${path} ${server}`);

  test("the first release is told before it gets its first request", async () => {
    const { world, first } = await live({ activation });
    expect(first).toEqual(all("/on", "web-1", "web-3"));
    expect(world.state.active).toBe("blue");
  });

  test("the old ones are told to stop before the new ones are told to work", async () => {
    const { world, operator } = await live({ activation });
    await operator.release("1.1.0");
    expect(world.asked).toEqual([...all("/off", "web-1", "web-3"), ...all("/on", "web-2", "web-4")]);
    world.asked.length = 0;
    await operator.rollback();
    expect(world.asked).toEqual([...all("/off", "web-2", "web-4"), ...all("/on", "web-1", "web-3")]);
  });

  test("a candidate that only has a weight is not told", async () => {
    const { world, operator } = await live({ activation });
    await operator.release("1.1.0", { goal: 25, schedule: { strategy: "canary", stepSeconds: 1 } });
    expect(world.asked).toEqual([]);
    await operator.promote();
    expect(world.asked).toHaveLength(4);
  });

  test("a candidate that does not accept it gives everything back", async () => {
    const { world, operator } = await live({ activation });
    world.complains = (server, path) => server === "web-4" && path === "/on";
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.aborted });
    expect(result?.reason).toContain("web-4 (127.0.0.1:18210): answers 500 to /on");
    expect(world.traffic).toMatchObject({ live: "blue", weight: 0 });
    expect(world.state).toMatchObject({ active: "blue", stable: { releaseId: "1.0.0-1" } });
    expect(world.asked.slice(-2)).toEqual(all("/on", "web-1", "web-3"));
  });

  test("a first release that does not accept it gets no traffic", async () => {
    const world = new SimulatedWorld({ ...simulatedEnvironment(QUICK), activation });
    world.complains = () => true;
    const { result } = await new Operator(world).release("1.0.0");
    expect(result).toMatchObject({ exitCode: EXIT.rejected });
    expect(world.traffic.live).toBeNull();
  });

  test("an old instance that is gone needs no telling", async () => {
    const { world, operator } = await live({ activation });
    world.setUp("blue", false);
    world.complains = (_, path) => path === "/off";
    expect((await operator.release("1.1.0")).result).toMatchObject({ outcome: "promoted" });
  });

  test("a recreate stops the old work before it holds requests", async () => {
    const { world, operator } = await live({ activation }, { strategy: "recreate", drainSeconds: 1 });
    await operator.release("1.1.0");
    expect(world.asked).toEqual([...all("/off", "web-1", "web-3"), ...all("/on", "web-1", "web-3")]);
  });

  test("a healed server of the live slot is told", async () => {
    const { world, operator } = await live({ activation });
    await operator.heal(["web-3"], { lost: "web-3" });
    expect(world.asked).toEqual(all("/on", "web-3"));
  });

  test("of several proxies only the first one tells them", async () => {
    const world = new SimulatedWorld({ ...simulatedEnvironment(QUICK, 2), activation }, 1);
    expect((await new Operator(world).release("1.0.0")).result?.exitCode).toBe(EXIT.done);
    expect(world.asked).toEqual([]);
  });
});

describe("smoke requests", () => {
  const environment = simulatedEnvironment(QUICK);
  const smoke = {
    verification: { ...environment.verification, smoke: [exchange("/login"), exchange("/buy")] },
  };

  test("are asked of every endpoint, in their order", async () => {
    const { first } = await live(smoke);
    expect(first.filter((each) => each.endsWith("web-1"))).toEqual(["/login web-1", "/buy web-1"]);
    expect(first.filter((each) => each.endsWith("web-3"))).toEqual(["/login web-3", "/buy web-3"]);
  });

  test("reject a candidate that is healthy and does not do its work", async () => {
    const { world, operator } = await live(smoke);
    world.complains = (server, path) => server === "web-2" && path === "/buy";
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.rejected, trafficChanges: 0 });
    expect(result?.reason).toContain("answers 500 to /buy; 1.0.0-1 keeps all requests");
  });
});

describe("contract migrations", () => {
  const SCRIPT = "0005-drop-old-name.sql";
  const knowing = (version: string) => ({ ...artifact(version), contracts: [SCRIPT] });
  const contracting = (record: ReleaseRecord): ReleaseRecord => ({ ...record, contracted: [SCRIPT] });

  test("wait until nothing that gets traffic, or may get it again, needs the old schema", async () => {
    const { world, operator } = await live({});
    const { record } = await operator.release(knowing("1.1.0"));
    const early = await operator.apply({ ...contracting(record), sequence: record.sequence + 1 });
    expect(early.result).toMatchObject({ exitCode: EXIT.refused, trafficChanges: 0, saves: 0 });
    expect(early.result?.reason).toContain(
      `${SCRIPT} removes what 1.0.0-1 needs, and that release can still get traffic`,
    );
    operator.record = record;
    const next = await operator.release(knowing("1.2.0"));
    expect(next.result?.exitCode).toBe(EXIT.done);
    const done = await operator.apply({ ...contracting(next.record), sequence: 4 });
    expect(done.result?.exitCode).toBe(EXIT.done);
    expect(world.state.contracted).toEqual([SCRIPT]);
  });

  test("keep out what needs the old schema, for good", async () => {
    const { operator } = await live({});
    await operator.release(knowing("1.1.0"));
    const { record } = await operator.release(knowing("1.2.0"));
    await operator.apply({ ...contracting(record), sequence: 4 });
    await expect(operator.release("1.0.0")).rejects.toThrow(`1.0.0 needs what ${SCRIPT} removed`);
    // Somebody who edits the record past that is stopped by the director.
    const late = await operator.apply({
      ...operator.record,
      sequence: 5,
      active: "green",
      slots: { ...operator.record.slots, green: { ...artifact("1.0.0"), run: 5 } },
    });
    expect(late.result).toMatchObject({ exitCode: EXIT.refused, trafficChanges: 0, saves: 0 });
    expect(late.result?.reason).toContain(`1.0.0-5 needs what ${SCRIPT} removed`);
  });
});

describe("a retained slot", () => {
  const RETAINED: ScheduleChoice = { ...QUICK, retainSeconds: 3600 };

  test("is not converged over before its time", async () => {
    const { world, operator } = await live({}, RETAINED);
    const { record } = await operator.release("1.1.0");
    const early = await operator.apply({ ...record, converge: true, sequence: record.sequence + 1 });
    expect(early.result).toMatchObject({ exitCode: EXIT.refused, trafficChanges: 0, saves: 0 });
    expect(early.result?.reason).toContain("blue is kept for an instant rollback until");
    world.now += 3_600_000;
    const late = await operator.apply({ ...record, converge: true, sequence: record.sequence + 1 });
    expect(late.result?.exitCode).toBe(EXIT.done);
  });

  test("makes way for the next release, which says so", async () => {
    const { world, operator } = await live({}, RETAINED);
    await operator.release("1.1.0");
    const { record } = await operator.release("1.2.0");
    const begun = world.events.findLast(({ event }) => event === "begin");
    expect(begun?.facts["replaces"]).toContain(
      "it gives up blue, which was kept for an instant rollback until",
    );
    expect(world.state.stable?.releaseId).toBe(`1.2.0-${record.sequence}`);
  });
});
