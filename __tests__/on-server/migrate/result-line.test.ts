/** The migrator's last line fits into what a step shows, whatever it did: a longer one would count as no result. */
import { shortened } from "../../../on-server/migrate/result-line";

const names = (count: number): string[] =>
  Array.from(
    { length: count },
    (_, index) => `${String(index + 1).padStart(4, "0")}-a-name-of-some-length.sql`,
  );

const bytes = (result: object): number => Buffer.byteLength(JSON.stringify(result));

it("what is short stays as it is", () => {
  const result = {
    outcome: "migrated",
    applied: [{ script: "0001-a.sql", seconds: 1 }],
    waiting: [],
    ahead: [],
  };
  expect(shortened(result)).toEqual(result);
});

it("of hundreds of scripts the last are shown, how many are left out, and all that waits", () => {
  const waiting = names(3);
  const applied = names(500).map((script) => ({ script, seconds: 0.1 }));
  const line = shortened({ outcome: "migrated", applied, waiting, ahead: names(200) });
  const shown = line["applied"] as unknown[];
  expect(bytes(line)).toBeLessThanOrEqual(3_300);
  expect(shown.length + (line["ahead"] as unknown[]).length + Number(line["left"])).toBe(700);
  expect(line).toMatchObject({ outcome: "migrated", waiting });
});

it("a reason that a server made long is cut", () => {
  expect(bytes(shortened({ outcome: "failed", exitCode: 4, reason: "x".repeat(100_000) }))).toBeLessThan(
    3_300,
  );
});
