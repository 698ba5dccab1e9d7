/** The director's journal of a sequence: what it tells, that it tells the truth after a crash, and what fits a line. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { extended, thinned } from "../../../on-server/director/journal";
import { reportLine } from "../../../on-server/director/report-line";
import { NEVER_LIVE } from "../../../on-server/director/state";
import type { State } from "../../../on-server/director/state";
import { LastWords } from "../../../release/director-status";
import { EXIT } from "../../../release/exit-code";
import type { JournalEntry } from "../../../release/journal";
import type { ScheduleChoice } from "../../../release/schedule";
import { parseFile } from "../../../release/validation";
import { Operator } from "./operator";
import { proxySpec } from "./proxy-under-test";
import { play, scenario } from "./scenario";
import { simulatedEnvironment, SimulatedWorld } from "./simulated-world";
import type { CrashPoint } from "./simulated-world";

const CANARY: ScheduleChoice = {
  ...{ strategy: "canary", steps: [25, 100], stepSeconds: 10, bakeSeconds: 10, drainSeconds: 1 },
};

async function liveWorld(schedule = CANARY) {
  const world = new SimulatedWorld(simulatedEnvironment(schedule));
  const operator = new Operator(world);
  await operator.release("1.0.0");
  return { world, operator };
}

/** Each entry in a word or two. */
function told({ state }: SimulatedWorld): string[] {
  return state.journal.map((entry) => {
    switch (entry.event) {
      case "verified":
        return `verified ${entry.releaseId} in ${entry.slot}`;
      case "traffic":
        return `${entry.live} ${entry.weight} ${entry.mode}`;
      case "judged":
        return `${entry.verdict} at ${entry.comparison.weight}`;
      case "sessions":
        return `${entry.releaseId} ${entry.clients}`;
      case "byHand":
        return `by hand to ${entry.releaseId}`;
      case "users":
        return `users: ${entry.failed} failed${entry.worse ? ", more than before" : ""}`;
      case "drained":
        return `drained ${entry.slot}${entry.cut ? " cut" : ""}`;
    }
  });
}

const PROMOTED = [
  "drained green",
  "verified 1.1.0-2 in green",
  "blue 25 serve",
  "pass at 25",
  "blue 100 serve",
  "pass at 100",
  "green 0 serve",
  "drained blue",
  "users: 0 failed",
];

describe("the journal of a sequence", () => {
  it("tells a promotion from the verification to the drain, with the figures of each judgement", async () => {
    const { world, operator } = await liveWorld();
    expect(told(world)).toEqual(["verified 1.0.0-1 in blue", "blue 0 serve"]);
    await operator.release("1.1.0");
    expect(told(world)).toEqual(PROMOTED);
    const [, verified, shifted, judged] = world.state.journal;
    expect(verified).toMatchObject({ endpoints: 2, seconds: expect.any(Number) });
    expect(judged).toMatchObject({
      at: shifted!.at + 10_000,
      comparison: { weight: 25, seconds: 10, candidate: { errors: 0 }, stable: { errors: 0 } },
    });
  });

  it("tells why a candidate was taken back", async () => {
    const { world, operator } = await liveWorld();
    world.behaviours.set("1.1.0", "failsUnderTraffic");
    await operator.release("1.1.0");
    expect(told(world)).toEqual([
      ...["drained green", "verified 1.1.0-2 in green"],
      ...["blue 25 serve", "fail at 25", "blue 0 serve", "drained green"],
      "users: 12 failed",
    ]);
  });

  it("tells that a recreated site was held", async () => {
    const { world, operator } = await liveWorld({ strategy: "recreate", drainSeconds: 1 });
    await operator.release("1.1.0");
    expect(told(world)).toEqual([
      ...["blue 0 hold", "drained green", "verified 1.1.0-2 in blue", "blue 0 serve"],
      "users: 0 failed",
    ]);
  });

  it("begins anew with the next sequence, also where that is aborted before it began", async () => {
    const { world, operator } = await liveWorld();
    await operator.release("1.1.0", { goal: "staged" });
    expect(told(world)).toEqual(["drained green", "verified 1.1.0-2 in green", "users: 0 failed"]);
    await world.run("abort", { ...operator.record, sequence: operator.record.sequence + 1 });
    expect(told(world)).toEqual([]);
  });

  it.each([
    ["before the proxy was told", { phase: "shifting", point: "traffic", when: "before" }],
    ["after the proxy was told", { phase: "shifting", point: "traffic", when: "after" }],
    ["before it was noted", { phase: "verified", point: "save", when: "before" }],
  ] satisfies [string, CrashPoint][])(
    "has each change once, although its director was killed %s",
    async (_, crash) => {
      const { world, operator } = await liveWorld();
      world.crash = crash;
      const { result, record } = await operator.release("1.1.0");
      expect(result?.exitCode).toBe("crashed");
      world.crash = null;
      expect(await world.run("switch", record)).toMatchObject({ outcome: "promoted" });
      const changes = (entries: readonly string[]) =>
        entries.filter((entry) => !entry.startsWith("verified"));
      expect(changes(told(world))).toEqual(changes(PROMOTED));
    },
  );

  it("loses a change that a killed director never came to, also where the next one does another", async () => {
    const { world, operator } = await liveWorld();
    world.crash = { phase: "shifting", point: "traffic", when: "before" };
    const { record } = await operator.release("1.1.0");
    const before = ["drained green", "verified 1.1.0-2 in green"];
    expect(told(world)).toEqual([...before, "blue 25 serve"]);
    world.crash = null;
    await world.run("abort", record);
    expect(told(world)).toEqual([...before, "users: 0 failed"]);
  });

  it("ends with what the proxy does, in any life of an application", async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (each) => {
        await play(each, async ({ step, result, record }, { world }) => {
          if (result === null || (step !== "begin" && step !== "switch" && step !== "share")) return;
          // Terraform starts a step that was killed again.
          if (result.exitCode === "crashed" && (await world.run(step, record)).exitCode === EXIT.refused)
            return;
          const last = world.state.journal.findLast(({ event }) => event === "traffic");
          if (last === undefined) return;
          const { live, weight, mode } = world.traffic;
          assert.deepEqual(last, { at: last.at, event: "traffic", live, weight, mode });
        });
      }),
      { numRuns: 600, seed: 4 },
    );
  });

  it("is bounded", async () => {
    const steps = Array.from({ length: 100 }, (_, index) => index + 1);
    const { world, operator } = await liveWorld({ ...CANARY, steps, stepSeconds: 1 });
    await operator.release("1.1.0");
    expect(world.state.journal).toHaveLength(60);
    expect(told(world)).toEqual(
      expect.arrayContaining(["verified 1.1.0-2 in green", "blue 99 serve", "pass at 100", "drained blue"]),
    );
  });
});

const figures = { requests: 123_456, errors: 1_234, p95Ms: 12_345 };
const judged = (weight: number, verdict: "pass" | "fail" = "pass"): JournalEntry => ({
  at: 1_700_000_000_000,
  ...{
    event: "judged",
    verdict,
    comparison: { candidate: figures, stable: figures, weight, seconds: 60.123 },
  },
});
const traffic = (weight: number): JournalEntry => ({
  ...{ at: 1_700_000_000_000, event: "traffic", live: "blue", weight, mode: "serve" },
});
const verified: JournalEntry = {
  ...{ at: 1_700_000_000_000, event: "verified", slot: "green", releaseId: "1.1.0-2" },
  ...{ endpoints: 20, seconds: 1.234 },
};
const drained: JournalEntry = {
  ...{ at: 1_700_000_000_000, event: "drained", slot: "blue", running: 3, cut: false },
};

describe("where there is no room for all of it", () => {
  it("passed judgements go first, then early changes, and the end is kept longest", () => {
    const journal = [verified, traffic(5), judged(5), traffic(100), judged(100), drained];
    const all: JournalEntry[][] = [];
    for (let left: JournalEntry[] = journal; left.length > 0; left = thinned(left)) all.push(left);
    expect(all.slice(1)).toEqual([
      [verified, traffic(5), traffic(100), judged(100), drained],
      [verified, traffic(100), judged(100), drained],
      [traffic(100), judged(100), drained],
      [judged(100), drained],
      [drained],
    ]);
    expect(thinned([judged(5, "fail"), drained])).toEqual([drained]);
  });

  const steps = Array.from({ length: 30 }, (_, index) => (index === 29 ? 100 : 3 * (index + 1)));
  const shifts = steps.flatMap((weight) => [traffic(weight), judged(weight)]);
  const journal = [verified, ...shifts, traffic(0), drained].reduce<JournalEntry[]>(extended, []);
  const release = (slot: "blue" | "green", run: number) => ({
    slot,
    releaseId: `1.2.3-beta.${"4".repeat(38)}-${run}`,
    sha256: "a".repeat(64),
    contracts: Array.from({ length: 20 }, (_, index) => `00${index}-drop-the-old-column.sql`),
  });

  it.each([
    ["plain", "x".repeat(600)],
    ["of another script", "日".repeat(600)],
    ["of control characters", "\u001b".repeat(600)],
    ["longer than that", "no answer ".repeat(1_000)],
  ])("the step's line fits Azure's output: 30 steps, and a reason %s", (_, reason) => {
    const result = {
      ...{ step: "switch", sequence: 123_456, exitCode: 5, outcome: "rolledBack" as const, reason },
      comparison: { candidate: figures, stable: figures, weight: 100, seconds: 60.123 },
    };
    const state: State = {
      ...{ ...NEVER_LIVE, sequence: 123_456, phase: "converging", result, journal },
      ...{ stable: release("blue", 123_455), candidate: release("green", 123_456) },
      ...{ deadline: 1_700_000_000_000, retainedUntil: 1_700_000_000_000 },
      unfinished: Array.from({ length: 20 }, () => ({ slot: "blue" as const, running: 1_000, cut: true })),
    };
    const spec = proxySpec({ driver: "haproxy", topology: "split", servers: 2 });
    const proxy = { ...spec.proxy, name: "p".repeat(40) };
    const line = reportLine(
      { spec: { ...spec, proxy }, state },
      { result, seconds: 12_345.678, at: new Date(0).toISOString() },
    );
    expect(line).not.toContain("\n");
    expect(line.startsWith('{"step":"switch",')).toBe(true);
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(3_300);
    const said = parseFile(LastWords, line, "the line");
    expect(reason.startsWith(said.reason)).toBe(true);
    expect(said.reason.length).toBeGreaterThanOrEqual(100);
    expect(said.state.journal).toEqual(expect.arrayContaining([judged(100), traffic(0), drained]));
    expect(said.state.result?.reason).toBe(said.reason);
  });

  it("the whole journal of a usual release fits", () => {
    const usual = [verified, ...[5, 25, 50, 100].flatMap((weight) => [traffic(weight), judged(weight)])];
    const state: State = { ...NEVER_LIVE, journal: [...usual, traffic(0), drained] };
    const spec = proxySpec({ driver: "haproxy", topology: "split", servers: 2 });
    const result = {
      ...{ step: "switch", sequence: 2, exitCode: 0, outcome: "promoted" as const, comparison: null },
      reason: "1.1.0-2 is live in green",
    };
    const line = reportLine({ spec, state }, { result, seconds: 1, at: new Date(0).toISOString() });
    expect(parseFile(LastWords, line, "the line").state.journal).toEqual(state.journal);
  });
});
