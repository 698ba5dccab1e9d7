/**
 * director begin|switch|share|abort|status|configure --spec <base64 JSON> [--folder <proxy's folder>]
 * director arrive [--folder <proxy's folder>]
 *
 * A Terraform step runs it on a proxy; it is not a daemon. It prints its result as one line of JSON on stdout, ends
 * with an exit code for Terraform, and logs every decision with its figures to events.jsonl.
 */
import { Failure, failureCodeOf, InvalidInput } from "../../release/failure";
import { appendFileSync, renameSync, statSync, truncateSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import * as z from "zod/mini";
import { DirectorSpec } from "../../configuration/director-spec";
import { EXIT } from "../../release/exit-code";
import type { ExitCode } from "../../release/exit-code";
import { describeIssues } from "../../release/validation";
import { inOneLine } from "../../release/text";
import type { ProcessLock } from "../../system/process-lock";
import { runProgram, printResult } from "../result";
import { announceEnd } from "./announce";
import { arrive, ownSpec, rememberSpec } from "./arrive";
import { Director } from "./director";
import type { Clock } from "./director";
import { configure, KINDS } from "./drivers/kinds";
import { Interrupted, requestAbort, SignalsAndFile } from "./interruption";
import { directorLock, tryDirectorLock } from "./lock";
import { httpProbe, httpTry } from "./probe";
import { reportLine } from "./report-line";
import { StateFile } from "./state";
import type { Outcome } from "../../release/director-status";
import { abort } from "./steps/abort";
import { begin } from "./steps/begin";
import { share } from "./steps/share";
import { status } from "./steps/status";
import type { StepEnd } from "./steps/step";
import { switchTraffic } from "./steps/switch";

const EVENTS_FILE = "events.jsonl";
const OLDER_EVENTS_FILE = "events.older.jsonl";
const STEPS: Readonly<Record<string, (director: Director) => Promise<StepEnd>>> = {
  begin,
  switch: switchTraffic,
  share,
};

const FAILED_AS: Record<ExitCode, Outcome> = {
  [EXIT.done]: "unchanged",
  [EXIT.unexpected]: "frozen",
  [EXIT.badInput]: "refused",
  [EXIT.refused]: "refused",
  [EXIT.rejected]: "rejected",
  [EXIT.aborted]: "rolledBack",
  [EXIT.frozen]: "frozen",
};

async function main(): Promise<ExitCode> {
  const { command, spec } = readArguments();
  if (command === "configure") {
    // A running director and a reload must not overwrite each other's traffic.
    const lock = await directorLock("configure");
    try {
      await configure(spec, new StateFile());
      rememberSpec(spec);
    } finally {
      lock.release();
    }
    await printResult({ step: command, outcome: "configured" });
    return EXIT.done;
  }
  if (command === "arrive") return arriveHere(spec);
  const { instances } = spec.proxy.http;
  const driver = KINDS[spec.proxy.driver].driver(spec);
  const interruption = new SignalsAndFile(spec.sequence);
  const newDirector = (): Director =>
    new Director({
      spec,
      driver,
      interruption,
      probe: httpProbe(spec.verification, instances),
      attempt: httpTry(spec.verification, instances),
      store: new StateFile(),
      clock: steadyClock(),
      logEvent: (event, facts = {}) => appendEvent({ event, sequence: spec.sequence, ...facts }),
    });
  if (command === "status") {
    await printResult(await status(newDirector()));
    return EXIT.done;
  }
  if (command === "abort") {
    const lock = await lockAfterAbort(spec);
    return run("abort", newDirector(), abort, lock);
  }
  const lock = await directorLock(`${command} ${spec.sequence}`);
  return run(command, newDirector(), STEPS[command]!, lock);
}

/** Succeeds if nothing is left to compare: what started the proxy repeats it until then. */
async function arriveHere(spec: DirectorSpec): Promise<ExitCode> {
  const arrival = await arrive(spec, KINDS[spec.proxy.driver].driver(spec), new StateFile().load());
  const { found: outcome, reason } = arrival;
  if (outcome !== "current") appendEvent({ event: "arrived", outcome, reason });
  await printResult({ step: "arrive", outcome, reason });
  return outcome === "current" ? EXIT.done : EXIT.frozen;
}

/**
 * The time of day at the start, then the monotonic clock: a change of the system time doesn't shorten or extend a bake.
 */
function steadyClock(): Clock {
  const beganAt = Date.now() - performance.now();
  return { now: () => Math.round(beganAt + performance.now()), sleep: (milliseconds) => sleep(milliseconds) };
}

async function run(
  step: string,
  director: Director,
  perform: (director: Director) => Promise<StepEnd>,
  lock: ProcessLock,
): Promise<ExitCode> {
  const startedAt = Date.now();
  try {
    const { exitCode, outcome, reason } = await resultOf(step, director, perform);
    const { sequence } = director.spec;
    const { comparison } = director;
    const result = { step, sequence, exitCode, outcome, reason, comparison };
    // A refused step leaves no trace in the state.
    if (exitCode !== EXIT.refused) director.save({ result });
    await announceEnd(director, result);
    appendEvent({ event: "end", ...result });
    const seconds = (Date.now() - startedAt) / 1000;
    await printResult(reportLine(director, { result, seconds, at: new Date().toISOString() }));
    if (exitCode !== EXIT.done) console.error(`director ${step}: ${inOneLine(reason)}`);
    return exitCode;
  } finally {
    lock.release();
  }
}

interface StepResult extends StepEnd {
  readonly exitCode: ExitCode;
}

async function resultOf(
  step: string,
  director: Director,
  perform: (director: Director) => Promise<StepEnd>,
): Promise<StepResult> {
  try {
    return { exitCode: EXIT.done, ...(await perform(director)) };
  } catch (error) {
    const { message: reason } = error as Error;
    if (error instanceof Interrupted) return { exitCode: EXIT.aborted, outcome: "rolledBack", reason };
    const failure = failureCodeOf(error);
    if (failure === null) return { exitCode: EXIT.unexpected, outcome: "frozen", reason };
    // The first proxy already serves the release that this one rejects. Both releases are verified: the operator
    // decides.
    const { healing, proxy } = director.spec;
    const later = proxy.index > 0 && step !== "begin" && healing.length === 0;
    const exitCode = later && (failure === EXIT.rejected || failure === EXIT.aborted) ? EXIT.frozen : failure;
    return { exitCode, outcome: FAILED_AS[exitCode], reason };
  }
}

/** Asks the running director to stop and waits until it has rolled back. */
async function lockAfterAbort(spec: DirectorSpec): Promise<ProcessLock> {
  const { drainSeconds } = spec.schedule;
  const seconds = drainSeconds + spec.verification.timeoutSeconds + 30;
  const deadline = Date.now() + seconds * 1000;
  requestAbort(Math.max(spec.sequence, new StateFile().load().sequence));
  for (;;) {
    const lock = await tryDirectorLock(`abort ${spec.sequence}`);
    if (lock !== null) return lock;
    if (Date.now() >= deadline) {
      throw new Failure(
        `the running director did not stop within ${seconds} s; the request to abort stays in place. Check events.jsonl on this proxy, then run \`bluegreen abort\` again`,
        EXIT.refused,
      );
    }
    await sleep(100);
  }
}

function readArguments(): { command: string; spec: DirectorSpec } {
  const usage =
    "usage: director begin|switch|share|abort|status|configure --spec <base64 JSON> [--folder FOLDER], or director arrive [--folder FOLDER]";
  const options = {
    spec: { type: "string" },
    folder: { type: "string", default: "." },
    help: { type: "boolean" },
  } as const;
  let parsed;
  try {
    parsed = parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new InvalidInput(`${(error as Error).message}; ${usage}`);
  }
  if (parsed.values.help === true) {
    console.log(usage);
    process.exit(0);
  }
  const [command, ...rest] = parsed.positionals;
  const known = [...Object.keys(STEPS), "abort", "status", "configure", "arrive"];
  const isGiven = parsed.values.spec !== undefined;
  if (
    command === undefined ||
    !known.includes(command) ||
    rest.length > 0 ||
    isGiven !== (command !== "arrive")
  ) {
    throw new InvalidInput(usage);
  }
  const given = parsed.values.spec === undefined ? null : decodeSpec(parsed.values.spec);
  enter(parsed.values.folder);
  return { command, spec: given ?? ownSpec() };
}

function enter(folder: string): void {
  try {
    process.chdir(folder);
  } catch (error) {
    throw new InvalidInput(
      `--folder: ${(error as Error).message}; deploy the base stack first, it creates the folder`,
    );
  }
}

function decodeSpec(text: string): DirectorSpec {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(text, "base64").toString("utf8"));
  } catch {
    throw new InvalidInput("--spec is not base64 JSON");
  }
  const parsed = z.safeParse(DirectorSpec, json);
  if (!parsed.success) {
    throw new InvalidInput(
      `--spec: ${describeIssues(parsed.error)}; if the director on this proxy is older than the web stack, deploy the base stack first`,
    );
  }
  return parsed.data;
}

/** At most two files of this size, so that the disk doesn't fill up. */
const EVENTS_LIMIT = 8 * 1024 * 1024;

function appendEvent(facts: Readonly<Record<string, unknown>>): void {
  const { size } = statSync(EVENTS_FILE, { throwIfNoEntry: false }) ?? { size: 0 };
  if (size > EVENTS_LIMIT) renameSync(EVENTS_FILE, OLDER_EVENTS_FILE);
  try {
    appendFileSync(EVENTS_FILE, `${JSON.stringify({ at: new Date().toISOString(), ...facts })}\n`);
  } catch (error) {
    // On a full disk, remove the incomplete line: the next event would continue it.
    truncateSync(EVENTS_FILE, size > EVENTS_LIMIT ? 0 : size);
    throw error;
  }
}

runProgram("director", main, (error) => {
  console.error(`director: ${inOneLine(error.message)}`);
  return failureCodeOf(error) ?? EXIT.unexpected;
});
