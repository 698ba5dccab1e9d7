/**
 * Projects that version 0.1.0 left behind, as they were on disk: one whose candidate was paused at a weight, and one that had
 * converged. Everything that they hold is read, and a plan over their state runs no step.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DirectorState, LastWords } from "../../release/director-status";
import { parseFile } from "../../release/validation";
import { changes, describeEndToEnd, World } from "../end-to-end/world";

const RECORDED = join(__dirname, "0.1.0");
const PROJECTS = [
  {
    kind: "paused",
    sequence: 3,
    outcomes: ["paused", "recreated", "installed"],
    weight: 10,
    stable: "1.1.0-2",
  },
  { kind: "converged", sequence: 2, outcomes: ["promoted", "promoted"], weight: 50, stable: "1.1.0-2" },
] as const;

const recorded = (kind: string, file: string): string =>
  readFileSync(join(RECORDED, kind, `${file}.recorded`), "utf8");

describeEndToEnd("a project of 0.1.0", () => {
  describe.each(PROJECTS)("$kind", ({ kind, sequence, outcomes, weight, stable }) => {
    let world: World;
    beforeAll(async () => {
      world = await World.create();
      world.write("environments/local.json", recorded(kind, "environment"));
      world.write("release.json", recorded(kind, "release"));
      for (const stack of ["base", "web"]) {
        world.write(`.bluegreen/local/terraform.${stack}.tfstate`, recorded(kind, `terraform-${stack}`));
      }
      for (let receipt = 1; receipt <= sequence; receipt += 1) {
        world.write(`.bluegreen/local/receipts/${receipt}.json`, recorded(kind, `receipts/${receipt}`));
      }
    });
    afterAll(() => world.end());

    it("has a record whose plan runs no step: names and addresses are what they were", async () => {
      expect(changes(await world.planByHand("web"))).toEqual({});
    });

    it("has a base of which the director is replaced, and nothing else", async () => {
      const replaced = changes(await world.planByHand("base"));
      expect(Object.keys(replaced)).toEqual([
        expect.stringMatching(/^terraform_data\.proxy-1_director_[0-9A-F]{8}$/),
      ]);
    });

    it("has receipts, each with what its release met", async () => {
      const { exitCode, stdout } = await world.run(["history", "--json"]);
      const { receipts } = JSON.parse(stdout) as {
        receipts: { outcome: string; hooks: { lastLine: string }[] }[];
      };
      expect(exitCode).toBe(0);
      expect(receipts.map(({ outcome }) => outcome).reverse()).toEqual(outcomes);
      const lastLines = receipts.flatMap(({ hooks }) => hooks.map(({ lastLine }) => lastLine));
      expect(lastLines).toEqual(outcomes.map(() => "switched"));
    });

    it("has a director's state, and a last line of its last step, of which nothing is lost", () => {
      const state = parseFile(DirectorState, recorded(kind, "state"), "state.json");
      expect(state).toMatchObject({
        sequence,
        stable: { releaseId: stable },
        traffic: { intended: { weight } },
      });
      const last = parseFile(LastWords, recorded(kind, "last-words"), "the line");
      expect(last).toMatchObject({ sequence, state: { stable: { releaseId: stable } } });
    });
  });
});
