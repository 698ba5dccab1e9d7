/** The guards of the director, and what it is like without each: its invariant's property must notice. */
export interface Mutation {
  /** The invariant that it guards. */
  readonly invariant: string;
  readonly guard: string;
  /** From on-server/director. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly text: string;
  readonly without: string;
  /** Of lives among which some need the guard. @default 3 */
  readonly seed?: number;
}

export const MUTATIONS: readonly Mutation[] = [
  {
    invariant: "I1",
    guard: "traffic is not taken from a slot while stable does not answer",
    file: "steps/begin.ts",
    text: `if (losesShare && found !== "neverLive") await requireStableAnswers(director, state.stable!);`,
    without: "",
  },
  {
    invariant: "I2",
    guard: "begin takes the idle slot out of the traffic",
    file: "steps/begin.ts",
    text: "if (!sameTraffic(observed, wanted)) await director.setTraffic(wanted);",
    without: "",
  },
  {
    invariant: "I2",
    guard: "begin waits until nothing runs there",
    file: "steps/begin.ts",
    text: "await director.drain(idle, { cut: replaced });",
    without: "",
  },
  {
    invariant: "I2",
    guard: "what runs longer is cut",
    file: "director.ts",
    text: "if (cut) await this.driver.cut(slot);",
    without: "",
  },
  {
    invariant: "I2",
    guard: "a healed server leaves the rotation first",
    file: "steps/begin.ts",
    text: "await driver.exclude(slot, servers);",
    without: "",
  },
  {
    invariant: "I3",
    guard: "a candidate is verified before it gets a share",
    file: "steps/switch.ts",
    text: "if (!resumes) await requireVerified(director, candidate);",
    without: "",
  },
  {
    invariant: "I3",
    guard: "every success in a row counts",
    file: "verify.ts",
    text: "const smoke = inARow >= successes ?",
    without: "const smoke = inARow >= 1 ?",
  },
  {
    invariant: "I3",
    guard: "another artifact under a verified name is refused",
    file: "../../release/gate.ts",
    text: "refuseExchanged(asked, known);",
    without: "",
  },
  {
    invariant: "I4",
    guard: "stable changes after the bake",
    file: "steps/switch.ts",
    text: "const deadline = clock.now() + seconds * 1000;",
    without: "const deadline = clock.now();",
  },
  {
    invariant: "I4",
    guard: "all requests are the last step",
    file: "steps/switch.ts",
    text: `const until = goal === "live" ? 100 : Number(goal);`,
    without: `const until = goal === "live" ? 99 : Number(goal);`,
  },
  {
    invariant: "I5",
    guard: "stable is probed before traffic returns",
    file: "take-back.ts",
    text: "const { healthy, others, problem } = await stableAnswers(director, stable);",
    without: `const { healthy, others, problem } = { healthy: true, others: [] as string[], problem: "" };`,
  },
  {
    invariant: "I6",
    guard: "an aborted sequence does not switch",
    file: "../../release/gate.ts",
    text: "if (known.aborted) throw",
    without: "if (false) throw",
  },
  {
    invariant: "I6",
    guard: "what was aborted is refused",
    file: "../../release/gate.ts",
    text: `if (found !== "targetIsLive" && !asked.retry) refuseFailedBefore(asked, known);`,
    without: "",
  },
  {
    invariant: "I6",
    guard: "an abort ends a shift",
    file: "watch.ts",
    text: "interruption.check();",
    without: "void interruption;",
  },
  {
    invariant: "I7",
    guard: "traffic that somebody changed is refused",
    file: "steps/begin.ts",
    text: "requireOwnTraffic(director, observed);",
    without: "",
  },
  {
    invariant: "I7",
    guard: "a release that somebody replaced is refused",
    file: "steps/begin.ts",
    text: "if (others.length > 0) {",
    without: "if (false) {",
  },
  {
    invariant: "I8",
    guard: "a persisted deadline is kept",
    file: "steps/switch.ts",
    text: "const resumes = share === current && state.deadline !== null;",
    without: "const resumes = false as boolean;",
  },
  {
    invariant: "I8",
    guard: "what is set is known by what was intended",
    file: "director.ts",
    text: "this.save({ traffic: { intended: traffic, before }, journal });",
    without: "",
  },
  {
    invariant: "I9",
    guard: "a judgement needs answers",
    file: "analysis.ts",
    text: "if (candidate.requests >= minimumRequests) return",
    without: "if (candidate.requests >= 0) return",
  },
  {
    invariant: "I10",
    guard: "a contract migration waits for those that need the old schema",
    file: "../../release/gate.ts",
    text: "if (needed !== undefined) {",
    without: "if (false) {",
  },
  {
    invariant: "I11",
    guard: "a step that runs again does what the killed one did not come to do",
    file: "steps/switch.ts",
    text: "if (!sameTraffic(traffic, wanted)) {",
    without: "if (false) {",
  },
  {
    invariant: "I11",
    guard: "a slot that is installed anew is told anew",
    file: "steps/begin.ts",
    text: "if (active !== null && spec.touched.includes(active)) await sayStopping(director);",
    without: "",
    seed: 2,
  },
  {
    invariant: "I12",
    guard: "an older record is refused",
    file: "../../release/gate.ts",
    text: "if (sequence < known.sequence) {",
    without: "if (false) {",
  },
  {
    invariant: "I12",
    guard: "a known record with other content is refused",
    file: "../../release/gate.ts",
    text: `if (sequence === known.sequence && known.recordDigest !== "" && recordDigest !== known.recordDigest) {`,
    without: "if (false) {",
  },
  {
    invariant: "I13",
    guard: "a convergence waits for the end of the retention",
    file: "../../release/gate.ts",
    text: "if (!converge) return null;",
    without: "return null;",
  },
];
