/** What a person exports does not change what the installer does: programs get an environment that it chose. */
import * as fs from "node:fs";
import * as path from "node:path";
import { eachTestHasAServer } from "./server";
import { HABITS, startFile } from "../habits";

const server = eachTestHasAServer();

test.each([
  ["a zip", () => server().application()],
  ["a .tar.gz", () => server().applicationAsTar()],
])("%s is installed, whatever is exported", async (_, build) => {
  const habits = { ...HABITS, BASH_ENV: startFile(server().root) };
  const { code, stderr, result } = await server().install(server().parameters(1, build(), habits));
  expect({ code, stderr, result }).toMatchObject({ code: 0, stderr: "", result: { outcome: "installed" } });
  expect((await server().get()).release).toBe("1.0.0-1");
  // A second install stops the first one's instance: the processes are found, too.
  const second = await server().install(server().parameters(2, build(), habits));
  expect(second).toMatchObject({ code: 0, stderr: "" });
  expect(server().instances()).toHaveLength(1);
});

test("a program of the installer gets nothing else", async () => {
  const bin = path.join(server().root, "bin");
  fs.mkdirSync(bin);
  const seen = path.join(server().root, "seen");
  fs.writeFileSync(path.join(bin, "sha256sum"), `#!/bin/sh\nenv >${seen}\nexec /usr/bin/sha256sum "$@"\n`, {
    mode: 0o755,
  });
  const PATH = `${bin}:${process.env["PATH"]}`;
  const variables = { ...HABITS, PATH, SECRET: "x", HTTPS_PROXY: "http://proxy.example:3128" };
  const outcome = await server().install(server().parameters(1, server().application(), variables));
  expect(outcome).toMatchObject({ code: 0 });
  const names = fs
    .readFileSync(seen, "utf8")
    .split("\n")
    .map((line) => line.split("=")[0]);
  expect(names.filter((name) => !["PWD", "OLDPWD", "SHLVL", "_", ""].includes(name!)).sort()).toEqual([
    "HOME",
    "HTTPS_PROXY",
    "LC_ALL",
    "PATH",
  ]);
});
