/**
 * A driver that is somebody else's program: it is started once for each operation, in the proxy's folder. What it says
 * is not believed unread: an answer that is none, too late, or with other endpoints than asked for is a failure.
 */
import { InvalidInput } from "../../../../release/failure";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import * as z from "zod/mini";
import type { DirectorSpec } from "../../../../configuration/director-spec";
import type { DriverCommand } from "../../../../configuration/drivers";
import { SLOTS } from "../../../../release/slot";
import type { PerSlot, Slot } from "../../../../release/slot";
import { describeIssues } from "../../../../release/validation";
import { sameTraffic } from "../driver";
import type { Driver, SlotCounts, Traffic } from "../driver";
import { CountsAnswer, Done, EXCHANGE_FORMAT, TrafficAnswer } from "./exchange";
import type { Operation, Question } from "./exchange";

const ANSWER_LIMIT = 1024 * 1024;
const COMPLAINT_LIMIT = 300;

export class CommandDriver implements Driver {
  private readonly command: DriverCommand;

  constructor(private readonly spec: DirectorSpec) {
    const { command } = spec.proxy;
    if (command === undefined)
      throw new InvalidInput(`--spec: proxy.driver "command" needs proxy.command, its program`);
    this.command = command;
  }

  /** Base, or whoever sets a proxy up: the program may write what the proxy reads. */
  async configure(): Promise<void> {
    await this.ask({ operation: "configure" }, Done);
  }

  async observe(): Promise<Traffic> {
    return (await this.ask({ operation: "observe" }, TrafficAnswer)).traffic;
  }

  async setTraffic(traffic: Traffic): Promise<void> {
    await this.ask({ operation: "setTraffic", traffic }, Done);
    // Asked again, in a process that was not told: only the proxy knows by then.
    const observed = await this.observe();
    if (!sameTraffic(observed, traffic)) {
      throw new Error(
        `the proxy serves ${JSON.stringify(observed)} although its driver was told ${JSON.stringify(traffic)}`,
      );
    }
  }

  async counts(): Promise<PerSlot<SlotCounts>> {
    const { counts } = await this.ask({ operation: "counts" }, CountsAnswer);
    for (const slot of SLOTS) {
      const missing = this.spec.endpoints[slot].find(
        ({ server }) => !counts[slot].endpoints.some((endpoint) => endpoint.server === server),
      );
      if (missing !== undefined)
        throw this.failure(
          "counts",
          `answered without ${missing.server} in ${slot}, which the proxy must know`,
        );
    }
    return counts;
  }

  async exclude(slot: Slot, servers: readonly string[]): Promise<void> {
    await this.ask({ operation: "exclude", slot, servers }, Done);
  }

  async include(slot: Slot, servers: readonly string[]): Promise<void> {
    await this.ask({ operation: "include", slot, servers }, Done);
  }

  async cut(slot: Slot): Promise<void> {
    await this.ask({ operation: "cut", slot }, Done);
  }

  private async ask<T extends z.ZodMiniType>(operation: Operation, answer: T): Promise<z.infer<T>> {
    const { proxy, endpoints } = this.spec;
    const question: Question = {
      formatVersion: EXCHANGE_FORMAT,
      ...operation,
      proxy: { name: proxy.name, host: proxy.host, port: proxy.port },
      endpoints,
    };
    const said = await this.run(question);
    let json: unknown;
    try {
      json = JSON.parse(said);
    } catch {
      throw this.failure(operation.operation, "answered with what is no JSON");
    }
    const parsed = z.safeParse(answer, json);
    if (!parsed.success)
      throw this.failure(operation.operation, `gave an answer that is none: ${describeIssues(parsed.error)}`);
    return parsed.data;
  }

  private async run(question: Question): Promise<string> {
    const { program, timeoutSeconds } = this.command;
    const [file, ...args] = program;
    // A group of its own: who ends the director leaves an operation that has begun alone, and it can be ended whole.
    const child = spawn(file!, args, { stdio: "pipe", detached: true });
    const { operation } = question;
    return new Promise((resolve, reject) => {
      const fail = (what: string): void => {
        clearTimeout(limit);
        endGroup(child);
        reject(this.failure(operation, what));
      };
      const limit = setTimeout(
        () => fail(`did not end within ${timeoutSeconds} s and was ended`),
        1000 * timeoutSeconds,
      );
      let answer = "";
      let complaint = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        answer += text;
        if (answer.length > ANSWER_LIMIT) fail("answers with more than 1 MiB");
      });
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        complaint = (complaint + text).slice(-4 * COMPLAINT_LIMIT);
      });
      child.on("error", ({ message }) => fail(`can't be started: ${message}`));
      child.on("close", (code, signal) => {
        if (code === 0) {
          clearTimeout(limit);
          resolve(answer);
        } else fail(`ended with ${code ?? signal}${lastLine(complaint)}`);
      });
      // A program that does not read what it is told says so by its exit code.
      child.stdin.on("error", () => undefined);
      child.stdin.end(JSON.stringify(question));
    });
  }

  private failure(operation: Operation["operation"], what: string): Error {
    return new Error(`the driver ${this.command.program[0]}, asked to ${operation}, ${what}`);
  }
}

function endGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    // What it had started may be gone already.
    if (exitCode === null && signalCode === null && (error as NodeJS.ErrnoException).code !== "ESRCH")
      throw error;
  }
}

/** What it said last, as far as a terminal can show it. */
function lastLine(complaint: string): string {
  const line = complaint.trim().split("\n").at(-1) ?? "";
  const shown = line.replace(/[^\x20-\x7e]/g, "?").slice(0, COMPLAINT_LIMIT);
  return shown === "" ? "" : `: ${shown}`;
}
