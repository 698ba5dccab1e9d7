/**
 * `bluegreen rehearse`: plays the scenarios on this machine through real Terraform applies, under a constant load that
 * checks every answer. It passes if users noticed no release and each step had its expected outcome.
 */
import { Failure, InvalidInput } from "../../release/failure";
import { writeFileSync } from "node:fs";
import { EXIT } from "../../release/exit-code";
import { out } from "../terminal/colours";
import { packRelease } from "../../examples/socialgoal/pack";
import { canHold, DRIVERS } from "../../configuration/drivers";
import type { DriverName } from "../../configuration/drivers";
import { DIALECTS } from "../../release/migrations/database-address";
import type { Dialect } from "../../release/migrations/sql-text";
import { proxyPlaces } from "../../configuration/naming";
import { databaseDialect } from "../../configuration/platform";
import type { SessionCounts } from "../../release/receipt";
import { releaseId } from "../../release/release";
import type { ReleaseId } from "../../release/release";
import { SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";
import { candidateFrom } from "../artifact/artifact";
import { deploy } from "../deployment/deploy";
import * as operations from "../deployment/operations";
import { deployBase, takeDown } from "../deployment/infrastructure";
import type { Deployment } from "../deployment/outcome";
import type { Tools } from "../deployment/tools";
import { Load } from "../load/load";
import { socialGoalPlan } from "../load/socialgoal-plan";
import { writeAtomically } from "../../system/atomic-file";
import { findProgram } from "../../system/executable";
import { withPrefix } from "../terminal/progress";
import type { Progress } from "../terminal/progress";
import { serverFor } from "../project/database-server";
import { platformFile, readRecord } from "../project/project";
import type { Project } from "../project/project";
import { Pictures } from "./pictures";
import { brokenPromises, versionOf } from "./results";
import type { RehearsalResults, RehearsedScenario, RehearsedStep, Totals } from "./results";
import { QUICK_PACE, scenariosOf, USUAL_PACE } from "./scenarios";
import type { Scenario, ScenarioStep } from "./scenarios";
import { addSessions, mayLoseSessions } from "./sessions";
import { installMs, leftVenues, openVenues, REHEARSAL_FOLDER } from "./venue";

export interface RehearseOptions {
  /** @default - haproxy if it is installed, otherwise embedded */
  readonly driver?: string;
  /** `postgres`, or `mssql` on the server that MSSQL_URL names. @default "postgres" */
  readonly database?: string;
  /** File for the results. */
  readonly json?: string;
  /** File for the report. @default - report.html beside the environments */
  readonly report?: string;
  readonly quick?: boolean;
  /** Keep the last scenario's environment running. */
  readonly keep?: boolean;
}

const RATE = 150;
const REPORT_FILE = `${REHEARSAL_FOLDER}/report.html`;

/** @returns whether no promise was broken. */
export async function rehearse(options: RehearseOptions, tools: Tools): Promise<boolean> {
  const startedAt = Date.now();
  const { progress, terraform } = tools;
  const folder = process.cwd();
  const driver = chooseDriver(options.driver, progress);
  const database = chooseDatabase(options.database);
  serverFor(database);
  progress.note(`rehearsing with ${terraform.name} ${terraform.version} and ${driver}, ${RATE} requests/s`);
  for (const left of leftVenues(folder)) await takeDown(left, tools);

  const scenarios = scenariosOf(options.quick === true ? QUICK_PACE : USUAL_PACE, canHold({ driver }));
  const interruption = watchForInterruption();
  // Each has its own environment: in parallel they take half the time.
  const venues = await openVenues(folder, scenarios, { driver, database });
  const played = await Promise.allSettled(
    scenarios.map((scenario, index) => playScenario(scenario, venues[index]!, tools, interruption)),
  );
  for (const [index, venue] of venues.entries()) {
    if (options.keep === true && index === venues.length - 1) announceKept(venue, progress);
    else await takeDown(venue, tools);
  }
  const finished = played.map((scenario) => {
    if (scenario.status === "rejected") throw scenario.reason;
    return scenario.value;
  });
  const steps = finished.flatMap((scenario) => scenario.steps);
  const totals = finished.map((scenario) => scenario.totals).reduce(addTotals);

  const passed = steps.every(({ broken }) => broken.length === 0) && totals.found === totals.acknowledged;
  const results: RehearsalResults = {
    formatVersion: 1,
    driver,
    terraform: terraform.version,
    startedAt: new Date(startedAt).toISOString(),
    endedAt: new Date().toISOString(),
    scenarios: finished.map((scenario) => scenario.scenario),
    steps,
    totals,
    passed,
  };
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  const report = options.report ?? REPORT_FILE;
  const { renderRehearsalReport } = await import("./rehearsal-report.js");
  writeAtomically(report, renderRehearsalReport(results), 0o644);
  console.log(summary(results, (Date.now() - startedAt) / 1000, report));
  return passed;
}

interface Interruption {
  /** @throws Failure after Ctrl-C. */
  check(): void;
}

interface PlayedScenario {
  readonly scenario: RehearsedScenario;
  readonly steps: readonly RehearsedStep[];
  readonly totals: Totals;
}

async function playScenario(
  scenario: Scenario,
  venue: Project,
  { terraform, progress }: Tools,
  interruption: Interruption,
): Promise<PlayedScenario> {
  const tools = { terraform, progress: withPrefix(`[${scenario.name}] `, progress) };
  tools.progress.note(scenario.title);
  const player = new ScenarioPlayer(scenario, venue, tools, interruption);
  try {
    await deployBase(venue, tools, readRecord(venue));
    return await player.play();
  } finally {
    await player.end();
  }
}

class ScenarioPlayer {
  private load: Load | undefined;
  private readonly pictures: Pictures;
  private readonly history: string[] = [];
  private readonly slots: Record<ReleaseId, Slot> = {};

  constructor(
    private readonly scenario: Scenario,
    private readonly venue: Project,
    private readonly tools: Tools,
    private readonly interruption: Interruption,
  ) {
    this.pictures = new Pictures(venue);
  }

  async play(): Promise<PlayedScenario> {
    const steps: RehearsedStep[] = [];
    for (const step of this.scenario.steps) {
      this.interruption.check();
      const played = await this.playStep(step);
      steps.push(played);
      this.print(played);
      // Before the first release nothing answers.
      this.load ??= await startLoad(this.venue);
    }
    const { sent, failed, acknowledged, found, missing, sessions } = await this.load!.stop();
    const timeline = this.load!.timeline();
    this.load = undefined;
    const rows = `rows: ${acknowledged} written, ${found} found`;
    if (missing.length === 0) this.tools.progress.done(`${rows}${describeSessions(sessions)}`);
    else this.tools.progress.failed(`${rows}; missing: ${missing.join(", ")}`);
    const { name, title } = this.scenario;
    return {
      scenario: { name, title, slots: this.slots, timeline, ...(sessions && { sessions }) },
      steps,
      totals: { sent, failed, acknowledged, found, ...(sessions && { sessions }) },
    };
  }

  async end(): Promise<void> {
    await this.load?.kill();
  }

  private async playStep(step: ScenarioStep): Promise<RehearsedStep> {
    await this.load?.beginStep(step.name);
    const startedAt = new Date();
    const deployment = await this.carryOut(step);
    const endedAt = new Date();
    const lostPictures = await this.pictures.missing();
    this.noteSlots();
    const requests = this.load === undefined ? null : await this.load.endStep();
    const { from, to, outcome, exitCode, seconds } = deployment;
    const losesSessions = mayLoseSessions(step, this.scenario);
    const broken = brokenPromises(step, {
      mayLoseSessions: losesSessions,
      outcome,
      exitCode,
      to,
      requests,
      version: step.version,
      downMs: to === null ? 0 : installMs(this.venue, to),
      expectedVersion: this.expectedVersion(step),
    });
    broken.push(...lostPictures, ...(await this.pictures.upload()));
    if (outcome !== step.expect.outcome) broken.push(deployment.reason);
    const {
      sent = 0,
      failed = 0,
      failures = {},
      longestGapMs = 0,
      versions = {},
      latencyMs = null,
      sessions,
    } = requests ?? {};
    return {
      name: step.name,
      scenario: this.scenario.name,
      strategy: step.schedule.strategy,
      from,
      to,
      outcome,
      exitCode,
      startedAt: startedAt.toISOString(),
      endedAt: endedAt.toISOString(),
      seconds,
      tolerance: step.expect.tolerance,
      requests: { sent, failed, failures, longestGapMs, versions, latencyMs, ...(sessions && { sessions }) },
      mayLoseSessions: losesSessions,
      broken,
    };
  }

  private async carryOut(step: ScenarioStep): Promise<Deployment> {
    const { venue, tools } = this;
    if (step.action === "promote") return deploy(venue, tools, operations.promote(venue, "live"));
    if (step.action === "rollback") return deploy(venue, tools, operations.rollback(venue, step.schedule));
    const { version = "", from = version } = step;
    const packed = await packRelease({
      ...{ version, from, to: platformFile(venue, "packages") },
      database: databaseDialect(venue.environment) ?? undefined,
    });
    const goal = step.goal === undefined ? {} : { goal: step.goal };
    const candidate = await candidateFrom(venue, version, { artifact: packed.file }, tools.progress);
    return deploy(venue, tools, operations.release(venue, candidate, { schedule: step.schedule, ...goal }));
  }

  private noteSlots(): void {
    const { slots } = readRecord(this.venue);
    for (const slot of SLOTS) {
      const release = slots[slot];
      if (release !== null) this.slots[releaseId(release)] = slot;
    }
  }

  /** The version that users must have after a step, derived from the scenario alone. */
  private expectedVersion({ action, version, expect }: ScenarioStep): string {
    const promoted =
      expect.outcome === "installed" || expect.outcome === "promoted" || expect.outcome === "recreated";
    if (action === "rollback") this.history.pop();
    else if (action === "promote") this.history.push(this.waiting!);
    else if (promoted) this.history.push(version!);
    if (expect.outcome === "paused" || expect.outcome === "staged") this.waiting = version;
    return this.history.at(-1)!;
  }

  private waiting: string | undefined;

  private print({ name, from, to, outcome, seconds, requests, broken }: RehearsedStep): void {
    const { sent, failed, longestGapMs, sessions } = requests;
    const move =
      from === to ? `${versionOf(to)} stays` : `${versionOf(from) ?? "nothing"} -> ${versionOf(to)}`;
    const counts =
      sent === 0 ? "" : `, ${sent} requests, ${failed} failed, longest gap ${Math.round(longestGapMs)} ms`;
    const ended = sessions?.lost ?? 0;
    const lost = ended === 0 ? "" : `, ${ended} ${ended === 1 ? "session" : "sessions"} lost`;
    const line = `${name}: ${outcome}, ${move} (${seconds.toFixed(1)} s${counts}${lost})`;
    if (broken.length === 0) this.tools.progress.done(line);
    else this.tools.progress.failed(`${line}\n    ${broken.join("\n    ")}`);
  }
}

async function startLoad(venue: Project): Promise<Load> {
  const { host, port } = proxyPlaces(venue.environment)[0]!;
  const load = new Load();
  await load.start(socialGoalPlan(`http://${host}:${port}`, RATE));
  return load;
}

function chooseDriver(wanted: string | undefined, progress: Progress): DriverName {
  if (wanted !== undefined) {
    const known = DRIVERS.find((driver) => driver === wanted);
    if (known !== undefined) return known;
    throw new InvalidInput(`--driver ${wanted} is not known: ${DRIVERS.join(" or ")}`);
  }
  if (findProgram("haproxy") !== undefined) return "haproxy";
  progress.note("haproxy is not installed: rehearsing with the embedded proxy");
  return "embedded";
}

function chooseDatabase(wanted: string = DIALECTS[0]): Dialect {
  const known = DIALECTS.find((dialect) => dialect === wanted);
  if (known !== undefined) return known;
  throw new InvalidInput(`--database ${wanted} is not known: ${DIALECTS.join(" or ")}`);
}

/** On Ctrl-C the running release aborts; then the rehearsal takes everything down and ends. */
function watchForInterruption(): Interruption {
  let interrupted = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => (interrupted = true));
  return {
    check() {
      if (interrupted) throw new Failure("the rehearsal was interrupted", EXIT.aborted);
    },
  };
}

function addTotals(one: Totals, other: Totals): Totals {
  const sessions = addSessions(one.sessions, other.sessions);
  return {
    ...(sessions && { sessions }),
    sent: one.sent + other.sent,
    failed: one.failed + other.failed,
    acknowledged: one.acknowledged + other.acknowledged,
    found: one.found + other.found,
  };
}

function describeSessions(sessions: SessionCounts | undefined): string {
  return sessions === undefined ? "" : `; sessions in memory: ${sessions.begun} begun, ${sessions.lost} lost`;
}

function announceKept(venue: Project, progress: Progress): void {
  const { host, port } = proxyPlaces(venue.environment)[0]!;
  progress.note(
    `still running: http://${host}:${port}/; stop it with \`bluegreen down --environment ${venue.environmentFile}\``,
  );
}

function summary(
  { steps, totals, passed, driver }: RehearsalResults,
  seconds: number,
  report: string,
): string {
  const promoted = steps.filter(({ exitCode }) => exitCode === 0).length;
  const { sent, failed, acknowledged, found, sessions } = totals;
  return [
    "",
    `${steps.length} releases with ${driver} in ${seconds.toFixed(0)} s, ${promoted} done as requested, ${steps.length - promoted} rejected or rolled back`,
    `${sent} requests, ${failed} failed; rows: ${acknowledged} written, ${found} found${describeSessions(sessions)}`,
    `report: ${report}`,
    passed ? out.green("passed: users noticed only what they may notice") : out.red("failed: see above"),
  ].join("\n");
}
