import { readEntry } from "../../cli/zip";
import { zipOf } from "./terraform/release-server";

const outcomeOf = (zip: Buffer): string => {
  try {
    return String(readEntry(zip, "terraform"));
  } catch (error) {
    return (error as Error).message;
  }
};
const CONTENT = "zero downtime ".repeat(500);

test.each([true, false])("an entry comes out as it went in (deflated: %s)", async (compress) => {
  const zip = await zipOf({ "LICENSE.txt": "a licence", terraform: CONTENT, empty: "" }, { compress });
  expect(String(readEntry(zip, "terraform"))).toBe(CONTENT);
  expect(String(readEntry(zip, "empty"))).toBe("");
});

test("fail when there is no such entry", async () => {
  const zip = await zipOf({ "bin/terraform": CONTENT });
  expect(() => readEntry(zip, "terraform")).toThrow('the zip archive has no entry "terraform"');
});

test.each([true, false])(
  "a cut or changed byte is an error, never other content (deflated: %s)",
  async (compress) => {
    const zip = await zipOf({ terraform: "zero downtime, zero downtime, zero downtime" }, { compress });
    for (let length = 0; length < zip.length; length++) {
      expect(() => readEntry(zip.subarray(0, length), "terraform")).toThrow(/zip archive/);
    }
    for (let at = 0; at < zip.length; at++) {
      const changed = Buffer.from(zip);
      changed[at] = (changed[at] ?? 0) ^ 0x15;
      expect(outcomeOf(changed)).toMatch(/^zero downtime, zero downtime, zero downtime$|zip archive/);
    }
  },
);
