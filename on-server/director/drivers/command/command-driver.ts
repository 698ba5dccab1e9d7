/**
 * A custom driver: a program that is started once for each operation, in the proxy's folder. Its answers are checked:
 * an invalid or late answer, or one that lacks an endpoint, is a failure.
 */
import { InvalidInput } from "../../../../release/failure";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import * as z from "zod/mini";
import type { DirectorSpec } from "../../../../configuration/director-spec";
import type { DriverCommand } from "../../../../configuration/drivers";
import { normalPath } from "../../../../configuration/private-paths";
import { SLOTS } from "../../../../release/slot";
import type { PerSlot, Slot } from "../../../../release/slot";
import { describeIssues } from "../../../../release/validation";
import { MOST_CLIENTS, MOST_PAGES, sameTraffic } from "../driver";
import type { Driver, SlotCounts, Traffic } from "../driver";
import { notPages, pageOf } from "../popular-pages";
import { CountsAnswer, Done, EXCHANGE_FORMAT, TrafficAnswer } from "./exchange";
import type { Operation, Question } from "./exchange";

const ANSWER_LIMIT = 1024 * 1024;
const STDERR_LIMIT = 300;

export class CommandDriver implements Driver {
  private readonly command: DriverCommand;

  constructor(private readonly spec: DirectorSpec) {
    const { command } = spec.proxy;
    if (command === undefined)
      throw new InvalidInput(`--spec: proxy.driver "command" needs proxy.command, its program`);
    this.command = command;
  }

  /** Runs when the proxy is set up: the program may write the proxy's configuration. */
  async configure(): Promise<void> {
    await this.ask({ operation: "configure" }, Done);
  }

  async observe(): Promise<Traffic> {
    return (await this.ask({ operation: "observe" }, TrafficAnswer)).traffic;
  }

  async setTraffic(traffic: Traffic): Promise<void> {
    await this.ask({ operation: "setTraffic", traffic }, Done);
    // Another process reads it back: it can only know the value from the proxy.
    const observed = await this.observe();
    if (!sameTraffic(observed, traffic)) {
      throw new Error(
        `the proxy serves ${JSON.stringify(observed)}, but its driver was asked to set ${JSON.stringify(traffic)}`,
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
          `answered without ${missing.server} in ${slot}: add this server to the proxy`,
        );
    }
    return { blue: bounded(counts.blue), green: bounded(counts.green) };
  }

  /** They are in the answer to `counts`: a program that knows no pages is not asked for them. */
  async popularPages(): Promise<readonly string[]> {
    const { pages = [] } = await this.ask({ operation: "counts" }, CountsAnswer);
    const leftOut = notPages(this.spec);
    const paths = pages.flatMap((target) => pageOf(target) ?? []);
    return paths.filter((path) => !leftOut.includes(normalPath(path))).slice(0, MOST_PAGES);
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
    const output = await this.run(question);
    let json: unknown;
    try {
      json = JSON.parse(output);
    } catch {
      throw this.failure(operation.operation, "answered with invalid JSON");
    }
    const parsed = z.safeParse(answer, json);
    if (!parsed.success)
      throw this.failure(operation.operation, `gave an invalid answer: ${describeIssues(parsed.error)}`);
    return parsed.data;
  }

  private async run(question: Question): Promise<string> {
    const { program, timeoutSeconds } = this.command;
    const [file, ...args] = program;
    // A separate process group: a signal to the director does not stop the operation, and a timeout can kill the whole
    // group.
    const child = spawn(file!, args, { stdio: "pipe", detached: true });
    const { operation } = question;
    return new Promise((resolve, reject) => {
      const fail = (what: string): void => {
        clearTimeout(limit);
        endGroup(child);
        reject(this.failure(operation, what));
      };
      const limit = setTimeout(
        () => fail(`did not end within ${timeoutSeconds} s and was killed`),
        1000 * timeoutSeconds,
      );
      let answer = "";
      let errors = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        answer += text;
        if (answer.length > ANSWER_LIMIT) fail("answered with more than 1 MiB");
      });
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        errors = (errors + text).slice(-4 * STDERR_LIMIT);
      });
      child.on("error", ({ message }) => fail(`can't be started: ${message}`));
      child.on("close", (code, signal) => {
        if (code === 0) {
          clearTimeout(limit);
          resolve(answer);
        } else fail(`ended with ${signal ?? `exit code ${code}`}${lastLine(errors)}`);
      });
      // Ignored: a program may end without reading the question. Its exit code counts.
      child.stdin.on("error", () => undefined);
      child.stdin.end(JSON.stringify(question));
    });
  }

  private failure(operation: Operation["operation"], what: string): Error {
    return new Error(`the driver ${this.command.program[0]}, asked to ${operation}, ${what}`);
  }
}

/** Of many clients those with most errors matter. */
function bounded(counts: SlotCounts): SlotCounts {
  const clients = Object.entries(counts.clients ?? {});
  if (clients.length <= MOST_CLIENTS) return counts;
  const worst = clients.sort(([, one], [, other]) => other.errors - one.errors).slice(0, MOST_CLIENTS);
  return { ...counts, clients: Object.fromEntries(worst) };
}

function endGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    // The group may have ended already.
    if (exitCode === null && signalCode === null && (error as NodeJS.ErrnoException).code !== "ESRCH")
      throw error;
  }
}

/** The last line, in characters that every terminal shows. */
function lastLine(text: string): string {
  const line = text.trim().split("\n").at(-1) ?? "";
  const shown = line.replace(/[^\x20-\x7e]/g, "?").slice(0, STDERR_LIMIT);
  return shown === "" ? "" : `: ${shown}`;
}
