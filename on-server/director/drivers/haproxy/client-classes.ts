/** The classes of answers that each client of a slot got. Pure. */
import type { Classes } from "../driver";
import { COUNTER } from "./client-rules";
import { column, Cumulated } from "./cumulated";
import type { TableRow } from "./cumulated";
import { harmlessClass } from "./slot-answers";

const COUNTED = ["2xx", "3xx", "4xx", "5xx"] as const;
type Counted = (typeof COUNTED)[number];

export class ClassesOfClients {
  private readonly answers: Readonly<Record<Counted, Cumulated>> = {
    "2xx": new Cumulated(),
    "3xx": new Cumulated(),
    "4xx": new Cumulated(),
    "5xx": new Cumulated(),
  };
  /** HAProxy counts an answer when it begins; these broke off later. */
  private readonly broken: Readonly<Record<Counted, Cumulated>> = {
    "2xx": new Cumulated(),
    "3xx": new Cumulated(),
    "4xx": new Cumulated(),
    "5xx": new Cumulated(),
  };
  private readonly reported = new Map<string, Required<Classes>>();
  /** HAProxy 2.4 and the configuration of an earlier base count none. */
  private areCounted = false;

  follow(rows: readonly TableRow[]): void {
    for (const each of COUNTED) {
      const name = `gpc${COUNTER[each]}`;
      this.areCounted ||= rows.some((row) => row.has(name));
      this.answers[each].follow(column(rows, name));
    }
  }

  /** The answer is none, and no answer of this status. */
  breakOff(client: string, status: number): void {
    this.broken[harmlessClass(status)].add(client);
  }

  /** None of the counts falls from one call to the next. @param errors of the client */
  of(client: string, errors: number): Classes | undefined {
    if (!this.areCounted) return undefined;
    const before = this.reported.get(client);
    const whole = (each: Counted) =>
      Math.max(before?.[each] ?? 0, this.answers[each].of(client) - this.broken[each].of(client));
    const none = Math.max(before?.none ?? 0, errors - this.answers["5xx"].of(client));
    const classes = {
      ...{ "2xx": whole("2xx"), "3xx": whole("3xx"), "4xx": whole("4xx") },
      ...{ "5xx": errors - none, none },
    };
    this.reported.set(client, classes);
    return classes;
  }

  clients(): string[] {
    return COUNTED.flatMap((each) => [...this.answers[each].total.keys(), ...this.broken[each].total.keys()]);
  }

  forget(client: string): void {
    for (const each of COUNTED) {
      this.answers[each].forget(client);
      this.broken[each].forget(client);
    }
    this.reported.delete(client);
  }
}
