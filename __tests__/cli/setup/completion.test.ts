/** Completion as shells ask for it, by running them; and a pipe whose reader goes away. */
import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { LEAST } from "../../release/examples";
import { COMMAND, Folder } from "./command";

describe("completion", () => {
  const folder = new Folder();
  const PATH = `${folder.in("bin")}:${process.env["PATH"]}`;

  beforeAll(() => {
    folder.write("bin/bluegreen", `#!/bin/sh\nexec "${process.execPath}" "${COMMAND}" "$@"\n`);
    chmodSync(folder.in("bin/bluegreen"), 0o755);
    folder.write("environments/local.json", LEAST);
    folder.write("environments/large.json", { ...LEAST, name: "large", servers: { count: 3 } });
    folder.write("environments/large.release.json", "{}");
    writeFileSync(folder.in("shop 1.0.0.zip"), "");
  });
  afterAll(() => folder.remove());

  /** What bash would offer, where the last word is being typed. It splits at "=". */
  async function inBash(...words: string[]): Promise<string[]> {
    const line = `eval "$(bluegreen completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bluegreen; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const ran = await folder.run("bash", ["-c", line, "bash", "bluegreen", ...words], { PATH });
    expect(ran.stderr).toBe("");
    return ran.stdout.split("\n").filter((each) => each !== "");
  }

  it.each<[string[], string[]]>([
    [["rel"], ["release"]],
    [["doc"], ["doctor"]],
    [["release", "--sc"], []],
    [["release", "1.0.0", "--strat"], ["--strategy"]],
    [
      ["release", "1.0.0", "--strategy", ""],
      ["blueGreen", "canary", "recreate"],
    ],
    [["release", "1.0.0", "--goal", "s"], ["staged"]],
    [["promote", "--to", ""], ["live"]],
    [
      ["status", "--environment", ""],
      ["environments/large.json", "environments/local.json"],
    ],
    [["status", "--environment", "=", "environments/lo"], ["environments/local.json"]],
    [
      ["status", "--environment", "="],
      ["environments/large.json", "environments/local.json"],
    ],
    [
      ["heal", ""],
      ["web-1", "web-2"],
    ],
    [["heal", "web-1", ""], ["web-2"]],
    [
      ["heal", "--environment", "environments/large.json", "web-3", ""],
      ["web-1", "web-2"],
    ],
    [["heal", "--environment", "environments/no.json", ""], []],
    [["release", "1.0.0", "--artifact", "sh"], ["shop 1.0.0.zip"]],
    [
      ["completion", ""],
      ["bash", "zsh", "fish"],
    ],
    [
      ["init", "--topology", ""],
      ["split", "sideBySide"],
    ],
    [["status", "--json", "--j"], []],
    [
      ["migrations", ""],
      ["from-ef", "status", "resolve"],
    ],
    [["migrations", "sh"], ["shop 1.0.0.zip"]],
    [
      ["migrations", "resolve", "0004-x.sql", "--as", ""],
      ["applied", "pending"],
    ],
  ])("offers for %j: %j", async (words, offered) => {
    expect((await inBash(...words)).sort()).toEqual([...offered].sort());
  });

  it("runs nothing of the line that it completes", async () => {
    await inBash("release", "$(touch hacked)", "`touch hacked`", "; touch hacked;", "--st");
    expect(folder.has("hacked")).toBe(false);
  });

  it("gives an option back whole to shells that don't split it", async () => {
    const { stdout } = await folder.bluegreen([
      "__complete",
      "--",
      "status",
      "--environment=environments/lo",
    ]);
    expect(stdout).toBe("--environment=environments/local.json\t\n");
  });

  it.each(["zsh", "fish"] as const)("has a script that %s understands", async (shell) => {
    const { exitCode, stdout } = await folder.bluegreen(["completion", shell]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("__complete -- ");
    if (spawnSync(shell, ["--version"]).status !== 0) return;
    expect(spawnSync(shell, ["-n"], { input: stdout, encoding: "utf8" })).toMatchObject({
      status: 0,
      stderr: "",
    });
  });

  it("refuses a shell that it does not know", async () => {
    expect(await folder.bluegreen(["completion", "cmd"])).toMatchObject({
      exitCode: 2,
      stdout: "",
      stderr: expect.stringMatching(/^there is no completion for "cmd": bash, zsh, fish/),
    });
  });

  it("is not shown in the help, but for how to get it", async () => {
    const { stdout } = await folder.bluegreen(["--help"]);
    expect(stdout).toContain("completion");
    expect(stdout).not.toContain("__complete");
  });
});

describe("a reader that goes away", () => {
  const folder = new Folder();
  afterAll(() => folder.remove());

  it.each(["--help", "release --help", "completion bash"])("ends %s quietly", async (words) => {
    const line = `set -o pipefail; "${process.execPath}" "${COMMAND}" ${words} | true`;
    expect(await folder.run("bash", ["-c", line])).toMatchObject({ exitCode: 0, stderr: "" });
  });

  it("does not change how a command ends", async () => {
    const line = `"${process.execPath}" "${COMMAND}" status 2> >(true); echo $?`;
    expect((await folder.run("bash", ["-c", line])).stdout).toBe("2\n");
  });
});
