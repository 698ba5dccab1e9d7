/** The director as servers get it, on a real proxy: one process a step. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { encodeSpec, stepSpec } from "../../../configuration/director-spec";
import { DirectorState } from "../../../release/director-status";
import { emptyRecord } from "../../../release/record";
import type { ReleaseRecord } from "../../../release/record";
import type { ScheduleChoice } from "../../../release/schedule";
import * as transitions from "../../../release/transitions";
import { parseFile } from "../../../release/validation";
import type { ProxyUnderTest } from "./proxy-under-test";
import { artifact, simulatedEnvironment } from "./simulated-world";
import { follow } from "../../../development/testbed/processes";
import type { Ran } from "../../../development/testbed/processes";

const DIRECTOR = resolve(__dirname, "../../../lib/on-server/director.js");
const NEVER = { live: null, releaseId: null, serving: [] };
const LIVE = { live: "blue", releaseId: "1.0.0-1", serving: ["blue"] } as const;

/** 1.0.0 goes live in blue, then 1.1.0 to green. */
export class DirectorProcesses {
  readonly first: ReleaseRecord;
  readonly second: ReleaseRecord;
  private readonly environment;

  constructor(
    private readonly proxy: ProxyUnderTest,
    schedule: ScheduleChoice,
  ) {
    this.environment = simulatedEnvironment(schedule);
    const intent = { environmentSchedule: this.environment.schedule };
    this.first = transitions.release(emptyRecord("demo"), artifact("1.0.0"), NEVER, intent);
    this.second = transitions.release(this.first, artifact("1.1.0"), LIVE, intent);
  }

  start(step: string, record: ReleaseRecord): { child: ChildProcess; ended: Promise<Ran> } {
    const { endpoints, proxy: place } = this.proxy.spec;
    const spec = stepSpec(this.environment, record, 0);
    const verification = { ...spec.verification, successes: 2, intervalSeconds: 0.01, deadlineSeconds: 5 };
    const encoded = encodeSpec({ ...spec, endpoints, verification, proxy: { ...place, index: 0 } });
    const args = [DIRECTOR, step, "--spec", encoded, "--folder", this.proxy.folder];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    return { child, ended: follow(child).ended };
  }

  async run(step: string, record: ReleaseRecord): Promise<{ code: number | null; said: string }> {
    const { exitCode: code, stderr: said } = await this.start(step, record).ended;
    return { code, said };
  }

  /** From nothing to where the second release may switch. */
  async begin(): Promise<void> {
    rmSync(join(this.proxy.folder, "state.json"), { force: true });
    rmSync(join(this.proxy.folder, "events.jsonl"), { force: true });
    await this.proxy.set({ live: null });
    for (const step of ["begin", "switch"])
      expect(await this.run(step, this.first)).toEqual({ code: 0, said: "" });
    expect(await this.run("begin", this.second)).toEqual({ code: 0, said: "" });
  }

  /** The second release begins anew, with these figures of users from an hour ago. */
  async beginAgain(figures: Omit<NonNullable<DirectorState["usual"]>, "at" | "counted">): Promise<void> {
    const { watched: _, ...state } = this.state;
    const never = { answers: 1e12, failed: 0 };
    const at = Date.now() - 3_600_000;
    const usual = { ...figures, at, counted: { at, blue: never, green: never } };
    writeFileSync(join(this.proxy.folder, "state.json"), JSON.stringify({ ...state, usual }));
    expect(await this.run("begin", this.second)).toEqual({ code: 0, said: "" });
  }

  get state(): DirectorState {
    return parseFile(
      DirectorState,
      readFileSync(join(this.proxy.folder, "state.json"), "utf8"),
      "state.json",
    );
  }

  get events(): readonly Readonly<Record<string, unknown>>[] {
    const file = join(this.proxy.folder, "events.jsonl");
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, "utf8").trim().split("\n");
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}
