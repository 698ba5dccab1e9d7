/** The last lines of a command that carried out a sequence: what users got, and what the verdict knows. */
import { printOutcome } from "../../../cli/command-line/closing-lines";
import type { Deployment } from "../../../cli/deployment/outcome";
import { usersAnswers } from "../../../release/users-answers";

const COMPARISON = {
  candidate: { requests: 4_210, errors: 13, p95Ms: 12 },
  stable: { requests: 9_000, errors: 27, p95Ms: 11 },
  ...{ weight: 100, seconds: 60, failed: { estimate: 0.0001, low: -0.002, high: 0.003 }, confidence: 0.2 },
};
const DEPLOYMENT: Deployment = {
  ...{ sequence: 17, goal: "live", from: "1.3.0-16", to: "1.4.0-17", outcome: "promoted", exitCode: 0 },
  ...{ reason: "1.4.0-17 is live in green", seconds: 95, comparison: COMPARISON, unfinished: [], logs: [] },
  requests: { sent: 950, failed: 0, longestGapMs: 120 },
  receipt: "receipts/17.json",
};

function users(failed: number, worse: boolean) {
  const before = { answers: 10_000, failed: 31, seconds: 100, age: 0 };
  const entry = { at: 1, event: "users", answers: 2_076, failed, seconds: 95, before, worse } as const;
  return usersAnswers([{ proxy: "proxy-1", journal: [entry] }]);
}

function printed(changes: Partial<Deployment>): string[] {
  const lines: string[] = [];
  const { exitCode } = process;
  const streams = (["log", "error"] as const).map((stream) =>
    jest.spyOn(console, stream).mockImplementation((...texts: unknown[]) => void lines.push(texts.join(" "))),
  );
  printOutcome({} as Parameters<typeof printOutcome>[0], { ...DEPLOYMENT, ...changes });
  process.exitCode = exitCode;
  for (const stream of streams) stream.mockRestore();
  return lines.join("\n").split("\n");
}

test("a promotion shows what all users got, before the command's requests", () => {
  expect(printed({ users: users(6, false), notJudged: ["5 %: only 12 answers"] })).toEqual([
    "✔ record 17 promoted: 1.4.0-17 is live in green (95.0 s)",
    "  stable: 1.3.0-16 -> 1.4.0-17",
    "  6 of 2,076 answers to users failed in 95 s (0.29 %), before 0.31 %",
    "  at 100 %: 0.01 % more failed answers than stable, at most 0.3 %; 13 of 4,210 answers failed, of stable's 27 of 9,000",
    "  not judged: 5 %: only 12 answers",
    "  0 of 950 measured requests failed, longest gap 120 ms",
    "  receipt: receipts/17.json",
  ]);
});

test("what users lost is the first line, also of a promotion", () => {
  const [first, second] = printed({ users: users(1_222, true) });
  expect(first).toBe("! users' failed answers rose: 1,222 of 2,076 in 95 s (58.9 %), before 0.31 %");
  expect(second).toContain("record 17 promoted");
});

test("a failure is a list, which begins with what users lost", () => {
  const failure = { outcome: "rolledBack", exitCode: 5, reason: "1.4.0-17 fails", to: "1.3.0-16" };
  expect(printed({ ...failure, users: users(1_222, true), comparison: null, requests: null })).toEqual([
    "! users' failed answers rose: 1,222 of 2,076 in 95 s (58.9 %), before 0.31 %",
    "✖ record 17 rolledBack: 1.4.0-17 fails (95.0 s)",
    "  stable: 1.3.0-16",
    "  receipt: receipts/17.json",
  ]);
});

test("a failure has the application's own last lines, each below its log", () => {
  const failure = { outcome: "rejected", exitCode: 4, reason: "1.4.0-17 ended", to: "1.3.0-16" };
  const lastLines = [{ log: "blue.log", lines: ["started", "no such table: goals"] }];
  const logs = ["blue.log", "none.log"];
  const lines = printed({ ...failure, comparison: null, requests: null, logs, lastLines });
  expect(lines.slice(2)).toEqual([
    "  log: blue.log",
    "    | started",
    "    | no such table: goals",
    "  log: none.log",
    "  receipt: receipts/17.json",
  ]);
});

test("where nothing counted users' answers it says so: of its own requests alone it can't know", () => {
  const lines = printed({ users: null, comparison: null });
  expect(lines).toContain("  users' answers were not counted");
  expect(lines).toContain("  0 of 950 measured requests failed, longest gap 120 ms");
});
