/** Examples for the tests of the domain. */
import { requireLocal } from "../../configuration/platform";
import { parseEnvironment } from "../../configuration/environment-file";
import type { LocalEnvironment } from "../../configuration/environment";
import { InvalidInput } from "../../release/failure";
import type { Candidate, Release } from "../../release/release";
import type { ReleaseRecord } from "../../release/record";

export const SHA256 = "a".repeat(64);

export function candidateOf(version: string): Candidate {
  const sha256 = Buffer.from(version).toString("hex").padEnd(64, "0").slice(0, 64);
  return { version, artifact: { url: `https://example.org/${version}.zip`, sha256 } };
}

export function releaseOf(version: string, run: number): Release {
  return { ...candidateOf(version), run };
}

/** Blue serves 1.0.0, green is to be live with 2.0.0. */
export function recordOf(changes: Partial<ReleaseRecord> = {}): ReleaseRecord {
  return {
    formatVersion: 1,
    application: "socialgoal",
    sequence: 2,
    active: "green",
    goal: "live",
    slots: { blue: releaseOf("1.0.0", 1), green: releaseOf("2.0.0", 2) },
    previous: releaseOf("1.0.0", 1),
    ...changes,
  };
}

/** A minimal environment file. */
export const LEAST = {
  formatVersion: 1,
  application: "socialgoal",
  name: "local",
  record: "release.json",
  platform: { kind: "local" },
  topology: "sideBySide",
  servers: { count: 2 },
  start: ["node", "server.js"],
};

export function environmentOf(changes: object = {}): LocalEnvironment {
  return requireLocal(
    parseEnvironment(JSON.stringify({ ...LEAST, ...changes }), "environments/local.json"),
    "this test",
  );
}

/** The message of refused input: one line. */
export function complaint(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInput);
    const { message } = error as InvalidInput;
    expect(message).toMatch(/^[^\p{C}\p{Zl}\p{Zp}]+$/u);
    expect(message.length).toBeLessThan(300);
    return message;
  }
  throw new Error("it was accepted");
}

/** Makes functions fail that change their input. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
