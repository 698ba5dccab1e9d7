/**
 * Whether a release harms users while it is migrated for and installed. No director runs then, which takes minutes with a
 * large database or a long warm-up: so the command asks the proxies, and ends a release that makes users' answers fail.
 * On Azure a running step can't be ended, nor a proxy be asked at once: there the switch finds the same.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { ReleaseRecord } from "../../release/record";
import { parseStep } from "../../release/steps";
import type { Proxies } from "../proxies/proxies";

const POLL_MS = 500;

export class HarmWatch {
  private readonly running = new Set<string>();
  private hasSwitched = false;

  constructor(
    private readonly proxies: Pick<Proxies, "reachable" | "poll">,
    private readonly record: ReleaseRecord,
  ) {}

  onStep(address: string, event: "started" | "done" | "failed"): void {
    const step = parseStep(address);
    if (step === null) return;
    if (step.kind === "switch") this.hasSwitched = true;
    if (step.kind !== "migrate" && step.kind !== "install") return;
    if (event === "started") this.running.add(step.id);
    else this.running.delete(step.id);
  }

  /** @returns how users are harmed, and during which steps; null once the signal is given, or where proxies can't be asked. */
  async harm(signal: AbortSignal): Promise<string | null> {
    if (!this.proxies.reachable) return null;
    for (;;) {
      await pause(POLL_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return null;
      if (!this.isInstalling) continue;
      const found = (await this.proxies.poll(this.record, { unseen: true })).find(
        ({ status }) => status?.harm !== undefined,
      );
      if (found === undefined || !this.isInstalling || signal.aborted) continue;
      return `${found.status!.harm}; ${[...this.running].join(", ")} ran`;
    }
  }

  private get isInstalling(): boolean {
    return this.running.size > 0 && !this.hasSwitched;
  }
}
