/** A folder with more files than a zip's original format counts. */
import { execFileSync } from "node:child_process";
import { symlinkSync } from "node:fs";
import { packFolder } from "../../../cli/artifact/pack";
import { readEntries } from "../../../cli/zip";
import { Workplace } from "./workplace";

let place: Workplace;
beforeEach(() => (place = new Workplace()));
afterEach(() => place.end());

test("70,000 files, more than the old format counts, are there for other programs and for us", async () => {
  for (let index = 0; index < 200; index++) place.write(`app/public/${index}`, `content ${index}`);
  for (let index = 0; index < 350; index++) symlinkSync("public", place.path(`app/copy-${index}`));
  const file = place.path("app.zip");
  await packFolder(place.path("app"), file, {
    signal: new AbortController().signal,
    onBytes: () => {},
    maxFiles: 200_000,
  });
  const entries = 200 * 351;
  expect(execFileSync("unzip", ["-Z", "-h", file], { encoding: "utf8" })).toContain(`entries: ${entries}\n`);
  expect(execFileSync("unzip", ["-p", file, "copy-349/199"], { encoding: "utf8" })).toBe("content 199");
  const read = readEntries(file, (name) => /^copy-(0|349)\/199$/.test(name));
  expect([...read].map(([name, content]) => [name, String(content)])).toEqual([
    ["copy-0/199", "content 199"],
    ["copy-349/199", "content 199"],
  ]);
});
