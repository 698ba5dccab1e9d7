/**
 * director begin|switch|share|abort|status|configure --spec <base64 JSON, or env:NAME> [--folder <proxy's folder>]
 * director arrive [--folder <proxy's folder>]
 * director rollback --reason <why> [--folder <proxy's folder>]
 * director drain <server> [--end | --now] [--folder <proxy's folder>]
 *
 * A Terraform step runs it on a proxy; it is not a daemon. `rollback` and `drain` are for an operator on the proxy, and like
 * `status` they work with the spec that the proxy has stored. It prints its result as one line of JSON on stdout, ends
 * with an exit code for Terraform, and logs every decision with its figures to events.jsonl.
 */
import { failureCodeOf, InvalidInput } from "../../release/failure";
import { appendFileSync, renameSync, statSync, truncateSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { DirectorSpec } from "../../configuration/director-spec";
import { EXIT } from "../../release/exit-code";
import type { ExitCode } from "../../release/exit-code";
import { inOneLine } from "../../release/text";
import type { ProcessLock } from "../../system/process-lock";
import { runProgram, printResult } from "../result";
import { announceEnd } from "./announce";
import { arrive, prepareAnnouncements } from "./arrive";
import { Director } from "./director";
import type { Clock } from "./director";
import { configure } from "./configure";
import { KINDS } from "./drivers/kinds";
import { Interrupted, SignalsAndFile } from "./interruption";
import { directorLock } from "./lock";
import { lockAfterAbort, lockAtOnce } from "./lock-after-abort";
import { httpLook } from "./look";
import { httpProbe, httpTry } from "./probe";
import { reasonOrAsk } from "./reason";
import { reportLine } from "./report-line";
import { chosenSpec, decodeSpec, storeSpec } from "./spec-file";
import { StateFile } from "./state";
import type { Outcome } from "../../release/director-status";
import { abort } from "./steps/abort";
import { begin } from "./steps/begin";
import { drainServer, returnServer } from "./steps/drain-server";
import { breakGlass } from "./steps/break-glass";
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

/** They work without a given spec. */
const STORED: readonly string[] = ["rollback", "drain", "status", "arrive"];

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
  const { command, spec, reason, unseen, server, ends, isNow } = readArguments();
  if (command === "configure") {
    // A running director and a reload must not overwrite each other's traffic.
    const lock = await directorLock("configure");
    try {
      await configure(spec, new StateFile());
      storeSpec(spec);
      prepareAnnouncements(spec);
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
  const newDirector = (sequence = spec.sequence): Director =>
    new Director({
      spec: { ...spec, sequence },
      driver,
      interruption,
      probe: httpProbe(spec.verification, instances),
      attempt: httpTry(spec.verification, instances),
      look: httpLook(spec, instances),
      store: new StateFile(),
      clock: steadyClock(),
      logEvent: (event, facts = {}) => appendEvent({ event, sequence, ...facts }),
    });
  if (command === "status") {
    await printResult(await status(newDirector(), { asksAsUser: !unseen }));
    return EXIT.done;
  }
  if (command === "drain") {
    const lock = await directorLock(`drain ${server}`);
    try {
      const director = newDirector();
      await printResult(
        await (ends ? returnServer(director, server!) : drainServer(director, server!, { isNow })),
      );
    } finally {
      lock.release();
    }
    return EXIT.done;
  }
  if (command === "abort") {
    const lock = await lockAfterAbort(spec);
    return run("abort", newDirector(), abort, lock);
  }
  if (command === "rollback") {
    const why = await reasonOrAsk(reason);
    const { lock, interrupted } = await lockAtOnce(spec);
    const { sequence, brokenGlass } = new StateFile().load();
    const director = newDirector(brokenGlass?.sequence ?? sequence + 1);
    return run("rollback", director, (each) => breakGlass(each, why, interrupted), lock);
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
    // A refused step leaves no trace.
    if (exitCode !== EXIT.refused) {
      director.save({ result });
      if (step === "begin") storeSpec(director.spec);
    }
    await announceEnd(director, result);
    appendEvent({ event: "end", ...result });
    const seconds = (Date.now() - startedAt) / 1000;
    await printResult(reportLine(director, { result, seconds, at: new Date().toISOString() }));
    if (exitCode !== EXIT.done || step === "rollback")
      console.error(`director ${step}: ${inOneLine(reason)}`);
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
    // The first proxy already serves the release with which this one fails. Both releases are verified: the operator
    // decides.
    const { healing, proxy } = director.spec;
    const later = proxy.index > 0 && step !== "begin" && healing.length === 0;
    if (failure === null) {
      const exitCode = later && (step === "switch" || step === "share") ? EXIT.frozen : EXIT.unexpected;
      return { exitCode, outcome: "frozen", reason: withProxy(director, step, reason) };
    }
    const exitCode = later && (failure === EXIT.rejected || failure === EXIT.aborted) ? EXIT.frozen : failure;
    return { exitCode, outcome: FAILED_AS[exitCode], reason };
  }
}

/** With several proxies, a failure names the one that failed, and the others are not stuck with it. */
function withProxy({ spec: { proxy } }: Director, step: string, reason: string): string {
  if ((proxy.peers ?? []).length === 0) return reason;
  // Before the first switch there is nothing to roll back yet, but a candidate to cancel.
  const back = step === "begin" || proxy.index === 0 ? "abort" : "rollback";
  return `${proxy.name}: ${reason}. Next: \`bluegreen retry\` once ${proxy.name} is back; without it \`bluegreen retry --without ${proxy.name}\` goes on, and \`bluegreen ${back}\` goes back`;
}

interface Arguments {
  readonly command: string;
  readonly spec: DirectorSpec;
  readonly reason: string | undefined;
  /** For `drain`: which server, whether it returns, and whether its sessions end at once. */
  readonly server: string | undefined;
  readonly ends: boolean;
  readonly isNow: boolean;
  /** For `status`: nothing is asked that would count as a user's request. */
  readonly unseen: boolean;
}

function readArguments(): Arguments {
  const usage =
    "usage: director begin|switch|share|abort|configure --spec <base64 JSON|env:NAME> [--folder FOLDER], or director rollback|status|arrive [--reason WHY] [--unseen] [--folder FOLDER], or director drain SERVER [--end|--now] [--folder FOLDER]";
  const options = {
    spec: { type: "string" },
    reason: { type: "string" },
    folder: { type: "string", default: "." },
    unseen: { type: "boolean", default: false },
    end: { type: "boolean", default: false },
    now: { type: "boolean", default: false },
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
  const known = [...Object.keys(STEPS), "abort", "configure", ...STORED];
  const { spec: given, reason, folder, unseen, end: ends, now: isNow } = parsed.values;
  const server = command === "drain" ? rest.shift() : undefined;
  const isStored = command !== undefined && STORED.includes(command);
  if (
    command === undefined ||
    !known.includes(command) ||
    rest.length > 0 ||
    (given === undefined && !isStored) ||
    (reason !== undefined && command !== "rollback") ||
    (unseen && command !== "status") ||
    (command === "drain") !== (server !== undefined) ||
    ((ends || isNow) && command !== "drain") ||
    (ends && isNow)
  ) {
    throw new InvalidInput(usage);
  }
  const decoded = given === undefined ? null : decodeSpec(given);
  enter(folder);
  const spec =
    decoded !== null && command !== "rollback" && command !== "drain" ? decoded : chosenSpec(decoded);
  return { command, spec, reason, unseen, server, ends, isNow };
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
