/** What a plan may do to the servers, read from Terraform's own words. */
import {
  proveLiveSlotUntouched,
  proveOnlyHealed,
  readPlan,
  refuseUnhealed,
} from "../../../cli/terraform/plan";
import type { Plan } from "../../../cli/terraform/plan";

const REPLACED = ["create", "delete"];

/** Blue and green on web-1, web-2 and web-10; all that is not named is a no-op. */
function planOf(changed: Readonly<Record<string, readonly string[]>>): Plan {
  const steps = ["web-1", "web-2", "web-10"].flatMap((server) => [
    `install-blue-${server}`,
    `install-green-${server}`,
  ]);
  const names = new Set([...steps, "begin-proxy-1", "switch-proxy-1", ...Object.keys(changed)]);
  const resource_changes = [...names].map((name) => ({
    address: `terraform_data.${name}`,
    change: { actions: changed[name] ?? ["no-op"] },
  }));
  return readPlan(JSON.stringify({ resource_changes }));
}

const GATES = { "begin-proxy-1": REPLACED, "switch-proxy-1": REPLACED };

describe("an ordinary release", () => {
  test("is proved to leave the live slot alone", () => {
    const plan = planOf({ ...GATES, "install-green-web-1": REPLACED });
    expect(proveLiveSlotUntouched(plan, "blue")).toBe(3);
  });

  test("is sent to heal where a server of the live slot would be installed", () => {
    const plan = planOf({ ...GATES, "install-blue-web-2": REPLACED, "install-blue-web-10": ["create"] });
    expect(() => proveLiveSlotUntouched(plan, "blue")).toThrow(
      "the plan would touch the live slot: terraform_data.install-blue-web-2 (create, delete); nothing was applied. " +
        "If base replaced or added web-2, web-10, `bluegreen heal web-2 web-10` comes first; " +
        "else, is Terraform's state of web the right one?",
    );
  });

  test("is not sent to heal where a step of the live slot would only go", () => {
    const plan = planOf({ "install-blue-web-10": ["delete"] });
    expect(() => proveLiveSlotUntouched(plan, "blue")).toThrow(
      "install-blue-web-10 (delete); nothing was applied. Is Terraform's state of web the right one?",
    );
  });

  test("comes after a heal that was not carried out, in either slot", () => {
    const steps = [{ id: "install-green-web-1", server: "web-1" }];
    expect(() => refuseUnhealed(planOf(GATES), steps)).not.toThrow();
    expect(() => refuseUnhealed(planOf({ "install-green-web-10": ["create"] }), steps)).not.toThrow();
    expect(() => refuseUnhealed(planOf({ "install-green-web-1": REPLACED }), steps)).toThrow(
      "the heal of web-1 was not carried out: `bluegreen heal web-1` again comes first; nothing was applied",
    );
  });
});

describe("a heal", () => {
  const healed = { ...GATES, "install-blue-web-1": REPLACED, "install-green-web-1": ["create"] };

  test("is proved to run the install steps of its servers, and is told which", () => {
    expect(proveOnlyHealed(planOf(healed), "blue", ["web-1"])).toEqual([
      "install-blue-web-1",
      "install-green-web-1",
    ]);
  });

  test("may drop what a convergence left: that runs nothing", () => {
    const plan = planOf({ ...healed, "converge-green-web-2": ["delete"], "share-proxy-1": ["delete"] });
    expect(() => proveOnlyHealed(plan, "blue", ["web-1"])).not.toThrow();
  });

  test.each<[string, Record<string, readonly string[]>]>([
    ["another server's live release", { "install-blue-web-2": REPLACED }],
    ["a server whose name begins as the healed one's", { "install-blue-web-10": ["create"] }],
    ["another server's retained release", { "install-green-web-2": ["create"] }],
    ["a convergence", { "converge-green-web-1": ["create"] }],
    ["a live step that goes", { "install-blue-web-2": ["delete"] }],
  ])("is refused with %s", (_, more) => {
    const plan = planOf({ ...healed, ...more });
    expect(() => proveOnlyHealed(plan, "blue", ["web-1"])).toThrow(
      `the plan would touch more than web-1: terraform_data.${Object.keys(more)[0]}`,
    );
  });
});
