/** A lost record on Azure: nobody reaches the proxies, so all that is known is in Terraform's state. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { ReleaseRecord } from "../../release/record";
import { AzureWorld, describeOnAzure } from "./azure-world";

describeOnAzure("a lost record on Azure", () => {
  let world: AzureWorld;
  jest.setTimeout(900_000);

  beforeAll(async () => {
    world = await AzureWorld.create();
    expect((await world.apply("base")).exitCode).toBe(0);
    for (const version of ["1.0.0", "1.1.0"]) {
      expect((await world.release(version, version)).exitCode).toBe(0);
    }
  });
  afterAll(() => world.end());

  test("comes back as it was, from another machine's checkout; the next release goes on", async () => {
    const { record } = world;
    rmSync(join(world.folder, "release.json"));
    for (const left of ["planned-record.json", "cdktf.out", "artifacts"]) {
      rmSync(join(world.folder, ".bluegreen/sim", left), { recursive: true, force: true });
    }
    const { stdout, stderr } = await world.bluegreen("recover", "--yes", "--json");
    if (stdout === "") throw new Error(stderr);
    const recovered = JSON.parse(stdout) as { proof: string; record: ReleaseRecord };
    expect(recovered).toMatchObject({ proof: "exact", record });
    expect(world.record).toEqual(record);
    expect(await world.release("1.4.0", "1.4.0")).toMatchObject({ exitCode: 0, to: "1.4.0-3" });
    expect(await world.serving()).toBe("1.4.0-3");
  });
});
