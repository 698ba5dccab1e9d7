/**
 * What a script takes away and puts back: a procedure, function, view or trigger that is dropped and made again is a new
 * version of it, and inside of one transaction nobody sees the gap. What is not put back is gone.
 */
import type { Kind, Level } from "../finding";
import type { Made } from "../made";
import type { ObjectName } from "./object-name";

interface Dropped {
  readonly kind: string;
  readonly name: ObjectName;
  /** Hears what is said of the statement that dropped it. */
  readonly report: (level: Level, message: string, kind?: Kind) => void;
  readonly depth: number;
}

/** How many names one line holds. */
const NAMED = 3;

export class Replacements {
  private readonly dropped = new Map<string, Dropped>();
  private readonly replaced = new Map<string, Dropped>();
  private readonly granted = new Set<string>();

  /** @param inTransaction whether the script runs in one. */
  constructor(
    private readonly made: Made,
    private readonly inTransaction: boolean,
  ) {}

  drop(kind: string, name: ObjectName, report: Dropped["report"]): void {
    this.dropped.set(`${kind} ${name.key}`, { kind, name, report, depth: this.made.depth });
  }

  /** @returns whether the script itself had taken it away. */
  put(kind: string, name: ObjectName): boolean {
    const key = `${kind} ${name.key}`;
    const dropped = this.dropped.get(key);
    if (dropped === undefined) return false;
    const isSure =
      !this.made.isConditional || this.made.isAskedFor(name.object) || this.made.depth <= dropped.depth;
    if (!isSure) return true;
    this.dropped.delete(key);
    this.replaced.set(key, dropped);
    return true;
  }

  grant({ key }: ObjectName): void {
    this.granted.add(key);
  }

  /** Says, at the script's end, what was not put back, and what came back without its rights. */
  finish(): void {
    for (const { report, kind } of this.dropped.values())
      report("breaks", GONE[kind] ?? GONE[""]!, kind in GONE ? "other" : "drop");
    const replaced = [...this.replaced.values()];
    if (!this.inTransaction) {
      for (const { report, kind } of replaced)
        report(
          "breaks",
          `${GAP[kind] ?? "until it is made again, the running release has none"}: -- no-transaction shows the gap`,
          kind in GAP ? "other" : "drop",
        );
      return;
    }
    const bare = replaced.filter(({ kind, name }) => HAVE_RIGHTS.has(kind) && !this.granted.has(name.key));
    const [first] = bare;
    if (first === undefined) return;
    const names = bare.slice(0, NAMED).map(({ name }) => name.shown);
    const more = bare.length > NAMED ? ` and ${bare.length - NAMED} more` : "";
    first.report(
      "advice",
      `dropped and made again, ${names.join(", ")}${more} lose${bare.length === 1 ? "s" : ""} what was granted on it: grant it again, or use CREATE OR ALTER`,
    );
  }
}

const HAVE_RIGHTS: ReadonlySet<string> = new Set(["PROCEDURE", "FUNCTION", "VIEW"]);
const GONE: Readonly<Record<string, string>> = {
  "": "drops something that the running release may still use",
  trigger: "switches off a trigger that the running release may still use",
  versioning: "ends the history of rows that the running release may still use",
};
const GAP: Readonly<Record<string, string>> = {
  trigger: "until it is on again, it misses what the running release writes",
  versioning: "until it is on again, changes have no history",
};
