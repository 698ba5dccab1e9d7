/** `bluegreen recover` where it has nothing to ask: bad input, nothing deployed, a lock. The rest is end to end. */
import { readdirSync } from "node:fs";
import { emptyRecord } from "../../../release/record";
import { LEAST } from "../../release/examples";
import { Folder, STACKS } from "./command";

jest.setTimeout(60_000);

describe("recover", () => {
  let folder: Folder;
  beforeEach(() => {
    folder = new Folder();
    folder.write("cdktf.json", { app: `node ${STACKS}` });
    folder.write("environments/local.json", LEAST);
  });
  afterEach(() => folder.remove());

  it("leaves a record alone where nothing was ever applied", async () => {
    folder.write("release.json", emptyRecord("socialgoal"));
    const { exitCode, stdout } = await folder.bluegreen(["recover", "--json"]);
    expect({ exitCode, result: JSON.parse(stdout) as object }).toMatchObject({
      exitCode: 0,
      result: { outcome: "nothing-to-recover", record: null, kept: null, exitCode: 0 },
    });
  });

  it("writes an empty record where one is damaged and nothing was ever released", async () => {
    folder.write("release.json", "<<<<<<< HEAD");
    const { exitCode, stdout } = await folder.bluegreen(["recover", "--yes"]);
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: expect.stringMatching(/^release\.json is recovered .*; what was there is release\.json\.lost-/),
    });
    expect(folder.json("release.json")).toEqual(emptyRecord("socialgoal"));
    const kept = readdirSync(folder.path).find((name) => name.startsWith("release.json.lost-"));
    expect(folder.text(kept!)).toBe("<<<<<<< HEAD");
  });

  it("needs somebody's yes", async () => {
    folder.write("release.json", "{");
    const { exitCode, stderr } = await folder.bluegreen(["recover"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringMatching(/then give --yes$/m) });
    expect(folder.text("release.json")).toBe("{");
  });

  it.each([
    [
      "an environment that is not there",
      ["--environment", "no.json"],
      /there is no environment file no\.json/,
    ],
    ["an unknown option", ["--force"], /unknown option '--force'/],
    ["an argument", ["release.json"], /too many arguments/],
  ])("refuses %s", async (_, options, says) => {
    const { exitCode, stderr, stdout } = await folder.bluegreen(["recover", "--yes", ...options]);
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: expect.stringMatching(says),
    });
  });
});
