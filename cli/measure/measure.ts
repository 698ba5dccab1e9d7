/**
 * `bluegreen measure -- <command>`: runs a load around any deployment command, to show what it costs users.
 *
 *     probe -> load starts -> warm-up -> the command -> cool-down -> load stops -> receipt
 */
import { Failure } from "../../release/failure";
import { setTimeout as sleep } from "node:timers/promises";
import { EXIT } from "../../release/exit-code";
import type { MeasuredRequests, MeasureReceipt } from "../../release/receipt";
import { Load } from "../load/load";
import type { LoadPlan } from "../load/plan";
import { currentPerson } from "../project/person";
import type { ChosenLoad } from "./chosen-load";
import { measuredRequests } from "./measured-requests";
import { refuseUnanswered } from "./probe";
import { Interruptions, runCommand } from "./run-command";
import { judgeCommand } from "./verdict";

export interface Measurement {
  readonly load: ChosenLoad;
  readonly command: readonly [string, ...string[]];
  /** The file descriptor for the command's stdout: 1, or 2 if our stdout is JSON. */
  readonly stdout: 1 | 2;
  readonly warmUpSeconds: number;
  readonly coolDownSeconds: number;
  readonly allowedFailures: number;
}

/** @throws Refusal if the origin does not answer before. @throws InvalidInput if the command can't be started. */
export async function measure(measurement: Measurement): Promise<MeasureReceipt> {
  const { load: chosen, command, stdout, allowedFailures } = measurement;
  await refuseUnanswered(chosen.plan);
  const load = new Load();
  await load.start(chosen.plan).catch((error: Error) => {
    throw new Failure(`${error.message}: the command was not started`, EXIT.unexpected);
  });
  // Before the command starts, Ctrl-C ends everything.
  await sleep(measurement.warmUpSeconds * 1000);
  const interruptions = new Interruptions();
  try {
    const startedAt = new Date();
    const commandExitCode = await runCommand(command, stdout, interruptions);
    const endedAt = new Date();
    await coolDown(measurement.coolDownSeconds, interruptions);
    const figures = await stop(load, chosen.plan);
    return {
      formatVersion: 1,
      action: "measure",
      application: chosen.application,
      environment: chosen.environment,
      who: currentPerson(),
      command: [...command],
      startedAt: startedAt.toISOString(),
      endedAt: endedAt.toISOString(),
      seconds: (endedAt.getTime() - startedAt.getTime()) / 1000,
      commandExitCode,
      allowedFailures,
      ...judgeCommand(commandExitCode, allowedFailures, figures),
      ...figures,
    };
  } finally {
    await load.kill();
  }
}

/** Shows the command's after-effects. A signal ends it early. */
async function coolDown(seconds: number, interruptions: Interruptions): Promise<void> {
  const skip = new AbortController();
  interruptions.react = () => skip.abort();
  await sleep(seconds * 1000, undefined, { signal: skip.signal }).catch(() => undefined);
  interruptions.react = () => undefined;
}

async function stop(
  load: Load,
  plan: LoadPlan,
): Promise<{ requests: MeasuredRequests | null; notMeasured: string | null }> {
  try {
    const totals = await load.stop();
    return { requests: measuredRequests(plan, totals, load.timeline()), notMeasured: null };
  } catch (error) {
    // The command has run: its exit code is reported even if the load failed.
    return { requests: null, notMeasured: (error as Error).message };
  }
}
