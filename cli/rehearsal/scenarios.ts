/**
 * The scenarios of a rehearsal: releases of the sample application in order, each with its expected outcome.
 * There are two because a topology is fixed once base is deployed.
 */
import { EXIT } from "../../release/exit-code";
import type { Goal } from "../../release/record";
import type { ScheduleChoice, Topology } from "../../release/schedule";

export type Outcome =
  "installed" | "promoted" | "rejected" | "rolledBack" | "recreated" | "staged" | "paused" | "frozen";

/** Which failed requests a step tolerates: none; those while the site is down; the bad release's answers. */
export type Tolerance = "none" | "whileDown" | "ownBadAnswers";

export interface ScenarioStep {
  readonly name: string;
  /** Releases this version, packed from the code of `from`. Without one, `action` works on the installed releases. */
  readonly version?: string;
  readonly from?: string;
  readonly action: "release" | "promote" | "rollback";
  readonly goal?: Goal;
  readonly schedule: ScheduleChoice;
  readonly expect: { readonly outcome: Outcome; readonly exitCode: number; readonly tolerance: Tolerance };
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly topology: Topology;
  readonly steps: readonly ScenarioStep[];
}

export interface Pace {
  readonly stepSeconds: number;
  readonly bakeSeconds: number;
}

export const USUAL_PACE: Pace = { stepSeconds: 3, bakeSeconds: 4 };
export const QUICK_PACE: Pace = { stepSeconds: 0.3, bakeSeconds: 0.3 };

const DRAIN_SECONDS = 5;
/** This machine also builds, installs and sends the load, so a slow answer now and then proves nothing. */
const ANALYSIS = { latencySlackMs: 5000 };

/** @param holds whether the proxy can hold requests while the site is recreated. */
export function scenariosOf({ stepSeconds, bakeSeconds }: Pace, holds: boolean): Scenario[] {
  const common = { bakeSeconds, drainSeconds: DRAIN_SECONDS, analysis: ANALYSIS };
  const blueGreen: ScheduleChoice = { strategy: "blueGreen", ...common };
  const converge: ScheduleChoice = { ...blueGreen, afterPromotion: "converge" };
  const canary: ScheduleChoice = { strategy: "canary", steps: [5, 25, 50, 100], stepSeconds, ...common };
  const recreate = (whileDown: "hold" | "maintenancePage"): ScheduleChoice => ({
    strategy: "recreate",
    whileDown,
    drainSeconds: DRAIN_SECONDS,
  });
  // A fifth of the requests, long enough to be sure of the failures. It ends once that is so.
  const careful: ScheduleChoice = { ...blueGreen, steps: [20, 100], stepSeconds: Math.max(8, stepSeconds) };

  const withPage = { outcome: "recreated", exitCode: EXIT.done, tolerance: "whileDown" } as const;
  const good = (outcome: Outcome): ScenarioStep["expect"] => ({
    outcome,
    exitCode: EXIT.done,
    tolerance: "none",
  });
  return [
    {
      name: "split",
      title: "two servers, blue on one and green on the other",
      topology: "split",
      steps: [
        {
          name: "first deployment",
          action: "release",
          version: "1.0.0",
          schedule: blueGreen,
          expect: good("installed"),
        },
        {
          name: "blue/green",
          action: "release",
          version: "1.1.0",
          schedule: blueGreen,
          expect: good("promoted"),
        },
        {
          name: "blue/green again",
          action: "release",
          version: "1.1.1",
          from: "1.1.0",
          schedule: blueGreen,
          expect: good("promoted"),
        },
        {
          name: "and again",
          action: "release",
          version: "1.1.2",
          from: "1.1.0",
          schedule: blueGreen,
          expect: good("promoted"),
        },
        {
          name: "a release that never becomes healthy",
          action: "release",
          version: "1.2.0",
          schedule: blueGreen,
          expect: { outcome: "rejected", exitCode: EXIT.rejected, tolerance: "none" },
        },
        {
          name: "a release that fails under traffic",
          action: "release",
          version: "1.3.0",
          schedule: careful,
          expect: { outcome: "rolledBack", exitCode: EXIT.aborted, tolerance: "ownBadAnswers" },
        },
        {
          name: "another good one",
          action: "release",
          version: "1.4.0",
          schedule: blueGreen,
          expect: good("promoted"),
        },
        { name: "rollback", action: "rollback", schedule: blueGreen, expect: good("rolledBack") },
        {
          name: "converge",
          action: "release",
          version: "1.4.1",
          from: "1.4.0",
          schedule: converge,
          expect: good("promoted"),
        },
        {
          name: "converge again",
          action: "release",
          version: "1.4.2",
          from: "1.4.0",
          schedule: converge,
          expect: good("promoted"),
        },
        {
          name: "converge once more",
          action: "release",
          version: "1.4.3",
          from: "1.4.0",
          schedule: converge,
          expect: good("promoted"),
        },
      ],
    },
    {
      name: "side-by-side",
      title: "two servers, both versions on each, on two ports",
      topology: "sideBySide",
      steps: [
        {
          name: "first deployment",
          action: "release",
          version: "1.0.0",
          schedule: canary,
          expect: good("installed"),
        },
        {
          name: "canary in steps",
          action: "release",
          version: "1.1.0",
          schedule: canary,
          expect: good("promoted"),
        },
        {
          name: "canary paused at 10 %",
          action: "release",
          version: "1.1.1",
          from: "1.1.0",
          goal: 10,
          schedule: canary,
          expect: good("paused"),
        },
        { name: "its promotion", action: "promote", schedule: canary, expect: good("promoted") },
        {
          name: "staged only",
          action: "release",
          version: "1.4.0",
          goal: "staged",
          schedule: blueGreen,
          expect: good("staged"),
        },
        {
          name: holds ? "recreate, requests held" : "recreate, without holding requests",
          action: "release",
          version: "1.4.1",
          from: "1.4.0",
          schedule: recreate("hold"),
          expect: holds ? good("recreated") : withPage,
        },
        {
          name: "recreate, with a page",
          action: "release",
          version: "1.4.2",
          from: "1.4.0",
          schedule: recreate("maintenancePage"),
          expect: withPage,
        },
      ],
    },
  ];
}
