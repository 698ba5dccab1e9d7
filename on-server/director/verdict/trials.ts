/**
 * Which answers count as independent trials. A client that failed repeats its request, and one with a bad URL asks again
 * and again: after an event all of its answers are left out for a while, failed and good ones alike, so that both
 * releases are counted the same way. Pure but for what it remembers of the clients.
 */
import type { Side } from "../../../release/sequential-test";
import { ANSWER_CLASSES } from "../drivers/driver";
import type { Classes, ClientCounts } from "../drivers/driver";
import type { Sample } from "../analysis";

/** For how long a client's answers don't count after an event. */
const SILENT_MS = 30_000;
/** One client counts as so many answers a look at most: its good answers don't hide that the others' fail. */
const MOST_TRIALS = 50;
const LOOKS_A_SECOND = 4;
/** More clients with events are not remembered for longer than they have to be. */
const MOST_REMEMBERED = 5_000;

/** What is judged: which of a client's or a slot's answers are events. */
export type Kind = (counts: ClientCounts) => Side;

export const failed: Kind = ({ requests, errors }) => ({ trials: requests, events: errors });

/** Answers that began later than a limit in milliseconds. */
export const slowerThan =
  (limit: number): Kind =>
  ({ latency }) => {
    let [trials, events] = [0, 0];
    for (const milliseconds in latency) {
      const count = latency[milliseconds]!;
      trials += count;
      if (Number(milliseconds) > limit) events += count;
    }
    return { trials, events };
  };

export const ofClass =
  (wanted: keyof Classes): Kind =>
  ({ classes = {} }) => {
    let trials = 0;
    for (const each of ANSWER_CLASSES) trials += classes[each] ?? 0;
    return { trials, events: classes[wanted] ?? 0 };
  };

export interface Counted extends Side {
  /** The clients with an event. */
  readonly clients: readonly string[];
  /** Events whose client is not known. */
  readonly anonymous: number;
}

/** null: the client can't be told apart from others. */
export type NameOf = (client: string) => string | null;

export class Trials {
  /** When a client last had an event. */
  private readonly last = new Map<string, number>();

  constructor(
    private readonly kind: Kind,
    private readonly nameOf: NameOf,
  ) {}

  /** @param sample what was counted since the last look. */
  count(at: number, sample: Sample): Counted {
    if (this.last.size > MOST_REMEMBERED) this.forget(at - SILENT_MS);
    const all = this.kind(sample);
    const most = MOST_TRIALS * Math.max(1, LOOKS_A_SECOND * (sample.seconds ?? 0));
    let [listedTrials, listedEvents, trials] = [0, 0, 0];
    const clients: string[] = [];
    const { clients: listed = {} } = sample;
    for (const key in listed) {
      const counts = listed[key]!;
      const name = this.nameOf(key);
      if (name === null) continue;
      const each = this.kind(counts);
      listedTrials += each.trials;
      listedEvents += each.events;
      if (at - (this.last.get(name) ?? -Infinity) < SILENT_MS) continue;
      const part = Math.min(1, most / Math.max(1, each.trials));
      const events = part * each.events;
      // As many answers as come before the first event, on average.
      trials += part * (events < 0.5 ? each.trials : (each.trials + 1) / (events / part + 1));
      if (events < 0.5) continue;
      clients.push(name);
      this.last.set(name, at);
    }
    // Proxies count clients and slots one after the other.
    const anonymous = Math.max(0, all.events - listedEvents);
    trials += Math.max(anonymous, all.trials - listedTrials, 0);
    return { trials, events: clients.length + anonymous, clients, anonymous };
  }

  private forget(before: number): void {
    for (const [name, at] of this.last) if (at < before) this.last.delete(name);
  }
}
