import { unpackEntry } from "../../../cli/terraform/zip";
import { zipOf } from "./release-server";

const CONTENT = "zero downtime ".repeat(500);

test.each([true, false])("an entry comes out as it went in (deflated: %s)", async (compress) => {
  const zip = await zipOf({ "LICENSE.txt": "a licence", terraform: CONTENT, empty: "" }, { compress });
  expect((await unpackEntry(zip, "terraform")).toString()).toBe(CONTENT);
  expect((await unpackEntry(zip, "empty")).toString()).toBe("");
});

test("fail when there is no such entry", async () => {
  const zip = await zipOf({ "bin/terraform": CONTENT });
  await expect(unpackEntry(zip, "terraform")).rejects.toThrow('the zip archive has no entry "terraform"');
});

test.each([true, false])(
  "a cut or changed byte is an error, never other content (deflated: %s)",
  async (compress) => {
    const zip = await zipOf({ terraform: "zero downtime, zero downtime, zero downtime" }, { compress });
    for (let length = 0; length < zip.length; length++) {
      await expect(unpackEntry(zip.subarray(0, length), "terraform")).rejects.toThrow(/zip archive/);
    }
    for (let at = 0; at < zip.length; at++) {
      const changed = Buffer.from(zip);
      changed[at] = (changed[at] ?? 0) ^ 0x15;
      const outcome = await unpackEntry(changed, "terraform").then(String, (error: Error) => error.message);
      expect(outcome).toMatch(/^zero downtime, zero downtime, zero downtime$|zip archive/);
    }
  },
);
