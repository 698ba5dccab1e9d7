/** `cdktf deploy` and an editor do what the command does: the same plan, the same result, and nothing the second time. */
import type { ReleaseRecord } from "../../release/record";
import { changes, describeEndToEnd, World } from "./world";
import type { Ran } from "./world";

/** What Terraform did, as cdktf-cli passes it on: "5 added, 0 changed, 5 destroyed". */
function done({ stdout, stderr, exitCode }: Ran): { exitCode: number | null; counts: string | undefined } {
  return { exitCode, counts: /(\d+ added, \d+ changed, \d+ destroyed)/.exec(stdout + stderr)?.[1] };
}

const nothing = { exitCode: 0, counts: "0 added, 0 changed, 0 destroyed" };
const DEPLOY = ["deploy", "web", "--ignore-missing-stack-dependencies", "--auto-approve"];

describeEndToEnd("cdktf deploy", () => {
  let byHand: World;
  let byCommand: World;

  beforeAll(async () => {
    byHand = await World.create();
    byCommand = await World.create();
  });
  afterAll(async () => {
    expect(await byCommand.end()).toEqual([]);
    expect(await byHand.end()).toEqual([]);
  });

  /** As docs/commands.md says: the next sequence, the idle slot's entry with the same run, and `active`. */
  async function edit(version: string, active: "blue" | "green"): Promise<void> {
    const { file, sha256 } = await byHand.pack(version);
    const record = byHand.record;
    const sequence = record.sequence + 1;
    const release = { version, run: sequence, artifact: { url: `file://${file}`, sha256 } };
    byHand.record = {
      ...record,
      sequence,
      active,
      slots: { ...record.slots, [active]: release },
      previous: record.slots[record.active],
    };
  }

  /**
   * The command keeps its own copy of the artifact, and notes the sequence that the proxies had. Everything else is the same.
   */
  function withoutPaths({ follows: _, ...record }: ReleaseRecord): unknown {
    return JSON.parse(JSON.stringify(record, (key, value: unknown) => (key === "url" ? "file" : value)));
  }

  async function sameAsCommand(version: string): Promise<void> {
    const planned = changes(await byHand.planByHand());
    const deployed = done(await byHand.cdktf(DEPLOY));
    const { exitCode } = await byCommand.release(version);
    expect(exitCode).toBe(0);
    expect(byCommand.record.follows).toBe(
      byCommand.record.sequence > 1 ? byCommand.record.sequence - 1 : undefined,
    );
    expect(planned).toEqual(changes(await byCommand.savedPlan()));
    const count = Object.keys(planned).length;
    const replaced = Object.values(planned).filter((actions) => actions === "create+delete").length;
    expect(deployed).toEqual({ exitCode: 0, counts: `${count} added, 0 changed, ${replaced} destroyed` });
    expect(withoutPaths(byHand.record)).toEqual(withoutPaths(byCommand.record));
    expect(await byHand.serving()).toEqual(await byCommand.serving());
  }

  it("deploys base, and changes nothing the second time", async () => {
    const first = done(await byHand.cdktf(["deploy", "base", "--auto-approve"]));
    expect(first).toEqual({
      exitCode: 0,
      counts: expect.stringMatching(/^[1-9]\d* added, 0 changed, 0 destroyed$/),
    });
    expect(await byHand.serving(0, 1)).toEqual(["status 503"]);
    expect(done(await byHand.cdktf(["deploy", "base", "--auto-approve"]))).toEqual(nothing);
  });

  it("of the first release does what the command does", async () => {
    await edit("1.0.0", "blue");
    await sameAsCommand("1.0.0");
    expect(await byHand.serving()).toEqual(["1.0.0-1"]);
  });

  it("of the next release does what the command does, and nothing the second time", async () => {
    await edit("1.1.0", "green");
    await sameAsCommand("1.1.0");
    expect(await byHand.serving()).toEqual(["1.1.0-2"]);
    expect(done(await byHand.cdktf(DEPLOY))).toEqual(nothing);
    expect(await byHand.serving()).toEqual(["1.1.0-2"]);
  });

  it("fails where the release is rejected, with the reason; the command goes on from there", async () => {
    await edit("1.2.0", "blue");
    const ran = await byHand.cdktf(DEPLOY);
    expect(ran.exitCode).not.toBe(0);
    expect(ran.stdout + ran.stderr).toMatch(/exit status 4/);
    expect(await byHand.serving()).toEqual(["1.1.0-2"]);
    expect(await byHand.deploy("abort")).toMatchObject({ exitCode: 0, to: "1.1.0-2" });
    expect(await byHand.release("1.4.0")).toMatchObject({ outcome: "promoted", to: "1.4.0-5" });
  });
});
