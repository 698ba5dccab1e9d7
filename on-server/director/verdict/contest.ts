/**
 * One comparison of a candidate with stable, from the candidate's first request on: of failed answers, of slow ones, of
 * redirects. Answers of the same few seconds are compared with each other, and what was counted before is only added up, so a
 * look costs the same at any time. At 100 % stable gets no requests: its answers so far stand for it.
 */
import {
  added,
  evidence,
  likelihoodRatio,
  NO_EVIDENCE,
  NO_TRIALS,
  perEvent,
  ratio,
  sum,
} from "../../../release/sequential-test";
import type { Evidence, Side } from "../../../release/sequential-test";
import type { Sample } from "../analysis";
import { dispersion, NO_DISPERSION, observed } from "./dispersion";
import { Trials } from "./trials";
import type { Counted, Kind, NameOf } from "./trials";

/** Answers of so long a time are compared, if the candidate gave so many of them. */
const BLOCK_MS = 10_000;
const BLOCK_TRIALS = 20;

/** What was counted since the last look. */
export interface Look {
  readonly at: number;
  /** The candidate's part of the requests, in per cent. */
  readonly weight: number;
  readonly candidate: Sample;
  readonly stable: Sample;
}

export interface Standing {
  /** How many times likelier the counts are if the candidate is worse. */
  readonly likelihoodRatio: number;
  /** By how much the candidate's ratio of events exceeds stable's, without the client that has most of them. */
  readonly excess: number;
  readonly candidate: Side;
  /** What stable shows, as if it had got the candidate's answers at the same times. */
  readonly expected: number;
  /** Different clients with an event in the candidate; events without a client count as one each. */
  readonly clients: number;
  /** Events of the client that was left out. */
  readonly leftOut: number;
}

interface Block {
  readonly since: number;
  readonly weight: number;
  candidate: Side;
  stable: Side;
  /** Events by client. */
  readonly clients: Map<string, number>;
}

/** What one client's events are, in all, and what they add to the evidence of the blocks that are over. */
interface Client {
  readonly name: string;
  events: number;
  evidence: Evidence;
}

export class Contest {
  /** Stable's answers, before the candidate got any and since. */
  reference: Side = NO_TRIALS;
  private readonly trials: { readonly candidate: Trials; readonly stable: Trials };
  private block: Block | null = null;
  private closed: Evidence = NO_EVIDENCE;
  private readonly clients = new Map<string, Client>();
  /** One client never decides: the one with most events is left out. */
  private worst: Client | null = null;
  private total: Side = NO_TRIALS;
  private expected = 0;
  private spread = NO_DISPERSION;
  private anonymous = 0;

  constructor(
    private readonly kind: Kind,
    nameOf: NameOf,
    /** See `evidence`. */
    private readonly usual = 0,
  ) {
    this.trials = { candidate: new Trials(kind, nameOf), stable: new Trials(kind, nameOf) };
  }

  /** Stable's answers before the candidate got any. */
  addBefore(at: number, stable: Sample): void {
    this.reference = sum(this.reference, this.trials.stable.count(at, stable));
  }

  add({ at, weight, candidate, stable }: Look): void {
    if (this.kind(candidate).trials === 0 && this.kind(stable).trials === 0) return;
    const block = this.blockAt(at, weight);
    const ours = this.trials.candidate.count(at, candidate);
    block.candidate = sum(block.candidate, ours);
    this.total = sum(this.total, ours);
    this.anonymous += ours.anonymous;
    for (const name of ours.clients) this.count(name, block);
    if (weight === 100) return;
    const theirs: Counted = this.trials.stable.count(at, stable);
    block.stable = sum(block.stable, theirs);
    this.reference = sum(this.reference, theirs);
    this.spread = observed(this.spread, at, theirs);
  }

  /** By how much the candidate's ratio of events exceeds stable's, without the client that has most of them. */
  get excess(): number {
    const { trials, events } = this.total;
    return (events - (this.worst?.events ?? 0) - this.expectedSoFar) / Math.max(1, trials);
  }

  /** The candidate's answers. */
  get counted(): Side {
    return this.total;
  }

  get standing(): Standing {
    const { block, excess } = this;
    const current = block === null ? NO_EVIDENCE : this.evidenceOf(block);
    const weight = this.anonymous > 0 ? 1 / dispersion(this.spread) : 1;
    const all = added(added(this.closed, current), this.worstEvidence(), -1);
    return {
      likelihoodRatio: likelihoodRatio(all.map((each) => weight * each)),
      excess,
      candidate: this.total,
      expected: this.expectedSoFar,
      clients: this.clients.size + this.anonymous,
      leftOut: this.worst?.events ?? 0,
    };
  }

  private get expectedSoFar(): number {
    return this.expected + (this.block === null ? 0 : this.expectedIn(this.block));
  }

  private count(name: string, block: Block): void {
    const client = this.clients.get(name) ?? { name, events: 0, evidence: NO_EVIDENCE };
    client.events += 1;
    this.clients.set(name, client);
    block.clients.set(name, (block.clients.get(name) ?? 0) + 1);
    if (client.events > (this.worst?.events ?? 0)) this.worst = client;
  }

  private blockAt(at: number, weight: number): Block {
    const { block } = this;
    const isOver =
      block !== null &&
      (block.weight !== weight ||
        (weight < 100 && at - block.since >= BLOCK_MS && block.candidate.trials >= BLOCK_TRIALS));
    if (block !== null && !isOver) return block;
    if (block !== null) this.close(block);
    this.block = { since: at, weight, candidate: NO_TRIALS, stable: NO_TRIALS, clients: new Map() };
    return this.block;
  }

  private close(block: Block): void {
    this.closed = added(this.closed, this.evidenceOf(block));
    this.expected += this.expectedIn(block);
    const each = this.perEventIn(block);
    for (const [name, events] of block.clients) {
      const client = this.clients.get(name)!;
      client.evidence = added(client.evidence, each, events);
    }
  }

  private stableIn(block: Block): Side {
    return block.weight === 100 ? this.reference : block.stable;
  }

  private evidenceOf(block: Block): Evidence {
    return evidence(block.candidate, this.stableIn(block), this.usualIn(block));
  }

  private perEventIn(block: Block): Evidence {
    return perEvent(block.candidate.trials, this.stableIn(block).trials, this.usualIn(block)).candidate;
  }

  /** Where all of stable's answers so far are compared, they must not be what was known beforehand. */
  private usualIn({ weight }: Block): number {
    return weight === 100 ? 0 : this.usual;
  }

  private expectedIn(block: Block): number {
    const stable = this.stableIn(block);
    return block.candidate.trials * ratio(stable.trials > 0 ? stable : this.reference);
  }

  private worstEvidence(): Evidence {
    const { block, worst } = this;
    if (worst === null) return NO_EVIDENCE;
    const now = block?.clients.get(worst.name) ?? 0;
    if (block === null || now === 0) return worst.evidence;
    const each = this.perEventIn(block);
    return added(worst.evidence, each, now);
  }
}
