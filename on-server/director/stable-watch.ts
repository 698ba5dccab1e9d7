/**
 * Watches stable while the candidate is verified, and before it gets any traffic: a candidate that takes the database's last
 * connections or a lock harms users by starting. If users get more failed answers than before, it is rejected.
 */
import { otherSlot, SLOTS } from "../../release/slot";
import type { PerSlot } from "../../release/slot";
import type { DirectorState } from "../../release/director-status";
import { isWayBack } from "../../release/way-back";
import { percent, thousands } from "../../release/percent";
import type { Director } from "./director";
import type { SlotCounts } from "./drivers/driver";
import { answersOf, chance, since, total } from "./users";
import { clientName, sharedAddress } from "./verdict/clients";
import { isWorse, ratio, sum } from "./worse";
import type { Answers } from "./worse";

const LOOK_MS = 250;
/** The watch goes on although the candidate is verified: shortly if failed answers rose at all, longer with some evidence. */
const DOUBTS = [
  { untilMs: 2_000, rate: 1 },
  { untilMs: 5_000, rate: 0.25 },
] as const;

type Watched = NonNullable<DirectorState["watched"]>;

/** Stable's users get more failed answers than before. */
export class UsersHarmed extends Error {
  override readonly name = "UsersHarmed";
}

export class StableWatch {
  private now: SlotCounts[] = [];
  private lastLook = -Infinity;
  /** The first look that found new failed answers. */
  private failingSince: number | null = null;
  private readonly first: PerSlot<Answers>;
  private sinceFirst: Answers = { answers: 0, failed: 0 };

  private constructor(
    private readonly director: Director,
    private readonly watched: Watched,
    private readonly startedAt: number,
    counts: PerSlot<SlotCounts>,
  ) {
    this.first = answersOf(counts);
    this.now = SLOTS.map((slot) => counts[slot]);
  }

  /** @returns null if begin did not count: it was one of version 0.1.0; and for a rollback, which nothing stops. */
  static async start(director: Director): Promise<StableWatch | null> {
    const { clock, driver, state, spec } = director;
    if (isWayBack(spec) || state.watched?.sequence !== spec.sequence) return null;
    return new StableWatch(director, state.watched, clock.now(), await driver.counts());
  }

  /**
   * Whether users got more failed answers since begin: between the steps no director runs, and the command asks for it.
   * @returns the reason; null if nothing is known, or the candidate is being verified or later already.
   */
  static async harm(director: Director): Promise<string | null> {
    const { state, spec } = director;
    // A recreate interrupts users by design, and a heal takes servers away that served badly.
    if (spec.schedule.strategy === "recreate" || spec.healing.length > 0) return null;
    if (state.phase !== "stable" || state.finished) return null;
    director.driver.readBegun?.();
    return (await StableWatch.start(director))?.harm() ?? null;
  }

  /** @throws UsersHarmed */
  async look(): Promise<void> {
    const { clock, driver, logEvent } = this.director;
    if (clock.now() - this.lastLook < LOOK_MS) return;
    this.lastLook = clock.now();
    const counts = await driver.counts();
    this.now = SLOTS.map((slot) => counts[slot]);
    this.sinceFirst = total(since(this.first, answersOf(counts)));
    if (this.sinceFirst.failed > 0) this.failingSince ??= clock.now();
    const reason = this.harm();
    if (reason === null) return;
    logEvent("users-harmed", {
      reason,
      ...this.sinceFirst,
      installing: this.installing,
      before: this.before,
    });
    this.director.harmed = true;
    throw new UsersHarmed(reason);
  }

  /** Goes on for a while if something seems to be wrong: chance, or too few answers yet. @throws UsersHarmed */
  async settle(): Promise<void> {
    const { clock, interruption } = this.director;
    const startedAt = clock.now();
    for (;;) {
      this.lastLook = -Infinity;
      await this.look();
      const doubt = DOUBTS.find(({ untilMs }) => clock.now() - startedAt < untilMs);
      if (doubt === undefined || !this.isWorse(doubt.rate, undefined)) return;
      interruption.check();
      await clock.sleep(LOOK_MS);
    }
  }

  private harm(): string | null {
    // Two comparisons, each with half of the chance.
    const { falseRollbackRate } = chance(this.director.spec);
    return this.isWorse(falseRollbackRate / 2, this.failingClients()) ? this.reason() : null;
  }

  /** Since begin, or only since the verification began: a long install of good answers hides what begins then. */
  private isWorse(falseRollbackRate: number, clients: number | undefined): boolean {
    const settings = { ...chance(this.director.spec), falseRollbackRate };
    const { before, installing, sinceFirst } = this;
    return (
      isWorse({ ...sum(installing, sinceFirst), clients }, before, settings) ||
      isWorse({ ...sinceFirst, clients }, sum(before, installing), settings)
    );
  }

  private get before(): Answers {
    return this.watched.before ?? { answers: 0, failed: 0 };
  }

  private get installing(): Answers {
    return total(since(this.watched.counted, this.first));
  }

  /** Clients with failed answers; undefined if the proxy can't tell. Failed answers of no known client count each. */
  private failingClients(): number | undefined {
    const [blue, green] = this.now.map(({ clients }) => clients);
    if (blue === undefined || green === undefined) return undefined;
    const shared = sharedAddress(this.now, this.director.spec.schedule.analysis.minimumRequests);
    const failing = [blue, green]
      .flatMap((each) => Object.entries(each))
      .filter(([, { errors }]) => errors > 0);
    // Not divided by weight: the candidate has none.
    const names = failing.map(([key]) => clientName(key, shared, 0));
    const known = failing.reduce((all, [, { errors }]) => all + errors, 0);
    return new Set(names).size + Math.max(0, this.installing.failed + this.sinceFirst.failed - known);
  }

  private reason(): string {
    const { before, installing, sinceFirst, watched, startedAt, failingSince, director } = this;
    const { maxErrorRatio } = chance(director.spec);
    const stable = director.state.stable?.releaseId ?? otherSlot(director.spec.target);
    const early = installing.failed > 0 && ratio(installing) - ratio(before) > maxErrorRatio;
    const got = early ? sum(installing, sinceFirst) : sinceFirst;
    const when = early
      ? `it was ${hasMigrations(director) ? "migrated for and " : ""}installed, between ${time(watched.at)} and ${time(startedAt)}`
      : `it was verified, at ${time(failingSince ?? startedAt)}`;
    const usual = before.answers === 0 ? "" : `, before ${percent(ratio(before))}`;
    return `users of ${stable} got more failed answers from when ${when}: ${thousands(got.failed)} of ${thousands(got.answers)} (${percent(ratio(got))}${usual})`;
  }
}

function hasMigrations({ spec, state }: Director): boolean {
  const slots = (spec.record ?? state.record)?.["slots"] as
    Readonly<Record<string, { readonly migrations?: unknown } | null>> | undefined;
  return (slots?.[spec.target]?.migrations ?? null) !== null;
}

function time(at: number): string {
  return `${new Date(at).toISOString().slice(11, 19)} UTC`;
}
