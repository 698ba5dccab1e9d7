/**
 * The directors' steps during an apply, with several proxies: which one hangs, which one failed without a message, and
 * what the operator does next. A step on a machine that stalls neither succeeds nor fails, and Terraform would wait for it
 * for minutes, while the users of the other proxies stay on what they have: so the command asks the proxy of a step that
 * takes long. If that does not answer twice in a row, the step is given up.
 */
import { setTimeout as pause } from "node:timers/promises";
import { EXIT } from "../../release/exit-code";
import type { ReleaseRecord } from "../../release/record";
import { parseStep } from "../../release/steps";
import type { Step } from "../../release/steps";
import type { Proxies } from "../proxies/proxies";
import type { ApplyResult } from "../terraform/stack";

type ProxyStep = Extract<Step, { kind: "begin" | "switch" | "share" }>;

/** Begin, and a switch that waits for nothing, take less. */
const PATIENT_MS = 4_000;
const POLL_MS = 3_000;
/** A busy machine may miss one query. */
const UNANSWERED = 2;

export class ProxySteps {
  private readonly running = new Map<string, { readonly step: ProxyStep; readonly since: number }>();
  private readonly done: ProxyStep[] = [];
  private readonly failed: ProxyStep[] = [];
  private readonly proxiesSeen = new Set<string>();
  private givenUp: { readonly step: ProxyStep; readonly problem: string } | undefined;

  constructor(
    private readonly proxies: Pick<Proxies, "reachable" | "poll">,
    private readonly record: ReleaseRecord,
  ) {}

  onStep(address: string, event: "started" | "done" | "failed"): void {
    const step = parseStep(address);
    if (step === null || !("proxy" in step)) return;
    this.proxiesSeen.add(step.proxy);
    if (event === "started") this.running.set(step.id, { step, since: performance.now() });
    else {
      this.running.delete(step.id);
      this[event].push(step);
    }
  }

  /** @returns the step that hangs; null once the signal is given, or where proxies can't be asked. */
  async hanging(signal: AbortSignal): Promise<ProxyStep | null> {
    if (!this.proxies.reachable) return null;
    const unanswered = new Map<string, number>();
    for (;;) {
      // Nothing could go on without the only proxy.
      const asks = this.long().length > 0 && this.proxiesSeen.size > 1;
      for (const { proxy, problem } of asks ? await this.proxies.poll(this.record) : []) {
        const count = problem === null ? 0 : (unanswered.get(proxy) ?? 0) + 1;
        unanswered.set(proxy, count);
        const step = this.long().find((each) => each.proxy === proxy);
        if (problem === null || count < UNANSWERED || step === undefined || signal.aborted) continue;
        this.givenUp = { step, problem };
        return step;
      }
      const isSilent = [...unanswered.values()].some((count) => count > 0);
      await pause(isSilent ? 0 : POLL_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return null;
    }
  }

  /** The proxies whose last step did not succeed, as far as Terraform knows: it may go on there. */
  unsettled(): string[] {
    return [...this.running.values(), ...this.failed.map((step) => ({ step }))].map(({ step }) => step.proxy);
  }

  /** Names the proxy of a step that was given up, or failed without naming it, and the ways on. */
  explained(result: ApplyResult): ApplyResult {
    const { exitCode, reasons, succeeded } = result;
    if (succeeded || this.proxiesSeen.size < 2) return result;
    if (this.givenUp !== undefined) {
      const { step, problem } = this.givenUp;
      const why = `${problem}; its ${step.kind} was given up`;
      return this.named(result, step, why);
    }
    const [step] = this.failed;
    const isUnclear = exitCode === EXIT.unexpected || exitCode === EXIT.refused;
    if (step === undefined || !isUnclear || reasons.some((reason) => reason.includes(step.proxy)))
      return result;
    return this.named(result, step, `${step.proxy}: ${reasons.join("; ")}`);
  }

  private named(result: ApplyResult, { proxy }: ProxyStep, why: string): ApplyResult {
    // Proxies switch one after another: the users of an earlier one have the new release.
    const othersSwitched = this.done.some(({ kind }) => kind === "switch");
    const back = othersSwitched ? "rollback" : "abort";
    return {
      ...result,
      exitCode: othersSwitched ? EXIT.frozen : result.exitCode,
      reasons: [
        `${why}. Next: \`bluegreen retry\` once ${proxy} is back; without it \`bluegreen retry --without ${proxy}\` goes on, and \`bluegreen ${back}\` goes back`,
      ],
    };
  }

  private long(): ProxyStep[] {
    const now = performance.now();
    return [...this.running.values()].flatMap(({ step, since }) => (now - since >= PATIENT_MS ? [step] : []));
  }
}
