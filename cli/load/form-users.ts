/**
 * The users of the plan's form, inside the worker. Each does one step after another, and thinks before it sends what it
 * wrote. Who has done the last step, or has lost the session, leaves: a new user with a new browser begins.
 */
import type { Outcome, SessionEvent } from "./account";
import type { FormPlan } from "./form-plan";
import type { LoadPlan } from "./plan";
import type { LoadRequest } from "./request";
import { between, type SimulatedUser, type SimulatedUsers } from "./user";

/** A user on the way through the form. */
interface Filling {
  readonly user: SimulatedUser;
  readonly marker: string;
  /** The index of the next step. */
  step: number;
  /** When the user asks for it; null while its request runs. On the clock of `now`. */
  dueAt: number | null;
}

export interface FormRequest extends LoadRequest {
  readonly filling: Filling;
}

export interface FormUsersProps {
  readonly form: FormPlan;
  readonly plan: Pick<LoadPlan, "releaseHeader">;
  readonly users: SimulatedUsers;
  /** The prefix of every marker of this run. */
  readonly runId: string;
  readonly random: () => number;
  readonly now: number;
}

export class FormUsers {
  readonly #fillings: Filling[];
  readonly #releaseHeader: string | null;
  #begun = 0;

  constructor(private readonly props: FormUsersProps) {
    this.#releaseHeader = props.plan.releaseHeader?.toLowerCase() ?? null;
    this.#fillings = Array.from({ length: props.form.users }, () => this.#newFilling(props.now));
  }

  /** The request of the user who has waited for the longest time; undefined if all think, or wait for an answer. */
  next(now: number): FormRequest | undefined {
    let first: Filling | undefined;
    for (const each of this.#fillings) {
      if (each.dueAt !== null && each.dueAt <= now && each.dueAt < (first?.dueAt ?? Infinity)) first = each;
    }
    return first === undefined ? undefined : this.#ask(first);
  }

  /** The next requests of all who are past the first step, without further thought: whether their sessions are known now. */
  atOnce(): FormRequest[] {
    return this.#fillings
      .filter(({ step, dueAt }) => step > 0 && dueAt !== null)
      .map((filling) => this.#ask(filling));
  }

  /**
   * A user whose request failed does the step again, unless it is the last one and may have been done.
   * @returns what the answer means
   */
  settled(filling: Filling, outcome: Outcome, now: number): SessionEvent[] {
    const isLast = filling.step === this.props.form.steps.length - 1;
    if (outcome.isLost === true) return this.#leave(filling, now, ["lost"]);
    if (outcome.failure !== null) {
      if (isLast && outcome.status === null) return this.#leave(filling, now, []);
      filling.dueAt = now + this.#thinkMs();
      return [];
    }
    if (isLast) return this.#leave(filling, now, ["completed"]);
    filling.step += 1;
    filling.dueAt = now + (this.#step(filling).fields === undefined ? 0 : this.#thinkMs());
    return filling.step === 1 ? ["begun"] : [];
  }

  #newFilling(now: number): Filling {
    this.#begun += 1;
    return {
      user: this.props.users.newcomer(true),
      // With the final dot, no marker is a prefix of another.
      marker: `${this.props.runId}.form-${this.#begun}.`,
      step: 0,
      dueAt: now + this.#thinkMs(),
    };
  }

  #leave(filling: Filling, now: number, events: SessionEvent[]): SessionEvent[] {
    this.#fillings[this.#fillings.indexOf(filling)] = this.#newFilling(now);
    return events;
  }

  #thinkMs(): number {
    return between(this.props.form.thinkSeconds, this.props.random);
  }

  #step({ step }: Filling): FormPlan["steps"][number] {
    return this.props.form.steps[step]!;
  }

  #ask(filling: Filling): FormRequest {
    const { path, fields, status, location, bodyIncludes } = this.#step(filling);
    const { steps, lost, acknowledges } = this.props.form;
    const { marker } = filling;
    filling.dueAt = null;
    const isAcknowledged = acknowledges && filling.step === steps.length - 1;
    return {
      filling,
      method: fields === undefined ? "GET" : "POST",
      path,
      expect: {
        status,
        releaseHeader: this.#releaseHeader,
        location,
        bodyIncludes: bodyIncludes && filledIn(bodyIncludes, marker),
        lost,
      },
      ...(isAcknowledged && { marker }),
      ...(fields !== undefined && {
        body: encoded(fields, marker),
        contentType: "application/x-www-form-urlencoded",
      }),
    };
  }
}

function encoded(fields: Readonly<Record<string, string>>, marker: string): string {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) form.set(name, filledIn(value, marker));
  return form.toString();
}

function filledIn(text: string, marker: string): string {
  return text.replaceAll(":marker", () => marker);
}
