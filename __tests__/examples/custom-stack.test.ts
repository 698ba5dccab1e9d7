/** examples/custom-stack and examples/custom-installer: releases in somebody's own app, as containers. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { MachinesStack, ReleaseStack, site } from "../../examples/custom-stack/stacks";
import type { Installer } from "../../constructs/installer";
import { emptyRecord } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { release } from "../../release/transitions";
import type { Observed } from "../../release/transitions";
import { until } from "../../development/testbed/processes";
import { ask, describeApplied, freePorts, OwnApp, REPOSITORY } from "./custom-app";

// The stand-in for docker: see there.
const installer: Installer = {
  script: join(REPOSITORY, "examples/custom-installer/install-container.sh"),
  parameters: { RUNTIME: join(__dirname, "container-runtime.sh") },
};

const image = (version: string, sha256: string) => ({
  version,
  artifact: { url: "https://registry.example.com/shop", sha256: sha256.padEnd(64, "0") },
});

describeApplied("releases in an own stack, as containers", () => {
  const app = new OwnApp();
  let port: number;
  beforeAll(async () => (port = await freePorts(3)));
  afterAll(() => app.remove());

  it("go live one after another, and one that is not healthy changes nothing", async () => {
    const environment = site(port);
    const synthesize = (record: ReleaseRecord) =>
      app.synthesize((root) => {
        new MachinesStack(root, "machines", { environment });
        new ReleaseStack(root, "release", { environment, record, installer });
      });
    const intent = { environmentSchedule: environment.schedule };
    const next = (before: ReleaseRecord, observed: Observed, version: string, digest: string) => {
      const record = release(before, image(version, digest), observed, intent);
      synthesize(record);
      return record;
    };
    const nothing: Observed = { live: null, releaseId: null, serving: [] };

    const first = next(emptyRecord("shop"), nothing, "1.0.0", "a1");
    await app.applied("machines");
    await app.applied("release");
    expect(await ask(port)).toEqual({ status: 200, release: "1.0.0-1" });
    expect(await app.planned("release")).toBe(0);

    const live: Observed = { live: "blue", releaseId: "1.0.0-1", serving: ["blue"] };
    const second = next(first, live, "1.1.0", "a2");
    await app.applied("release");
    expect(await ask(port)).toEqual({ status: 200, release: "1.1.0-2" });

    next(second, { live: "green", releaseId: "1.1.0-2", serving: ["green"] }, "1.2.0", "bad");
    const refused = await app.apply("release");
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr + refused.stdout).toContain(
      "1.2.0-3 was not healthy within 5 s; blue is unchanged",
    );
    expect(await ask(port)).toEqual({ status: 200, release: "1.1.0-2" });
    // The slot has its old release again, which a rollback finds there.
    await until(
      () =>
        ask(port + 1).then(
          ({ release: served }) => served === "1.0.0-1",
          () => false,
        ),
      "1.0.0-1 serves in blue again",
    );
    expect(existsSync(join(app.folder, ".machines/app-01/containers/shop-blue-before"))).toBe(false);
  });
});
