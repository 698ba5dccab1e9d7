import * as fs from "node:fs";
import * as path from "node:path";
import { compose, eachTestHasAMachine, PATH, script } from "./machine";

const machine = eachTestHasAMachine();
const folder = (name: string): string => path.join(machine().root, name);

/** Tools that note how they were called; `missing` is what dpkg-query does not know until apt-get installed it. */
function fakeTools(aptGet: string): string {
  fs.mkdirSync(folder("bin"), { recursive: true });
  const tool = (name: string, text: string): void =>
    fs.writeFileSync(folder(`bin/${name}`), `#!/bin/bash\n${text}\n`, { mode: 0o755 });
  tool("dpkg-query", `[ -e ${folder("installed")} ] && printf installed`);
  tool("apt-get", `echo "apt-get $*" >>${folder("calls")}\n${aptGet}`);
  tool("sleep", `echo "sleep $*" >>${folder("calls")}`);
  return `${folder("bin")}:${PATH}`;
}
const calls = (): string[] => fs.readFileSync(folder("calls"), "utf8").trim().split("\n");

/** Runs install-packages.sh alone, as on a machine that is no stand-in. */
function packages(parameters: Record<string, string>): ReturnType<ReturnType<typeof machine>["run"]> {
  return machine().run(script("install-packages.sh"), { SIM_VM_ROOT: "", ...parameters });
}

test("makes the folders; installs nothing where everything is there, and can be run again", async () => {
  const once = await machine().setUpWebServer({ PACKAGES: "curl nodejs", DATA_FOLDER: "/srv/data" });
  expect(once).toEqual({
    code: 0,
    stderr: "",
    stdout:
      'proxy-1 has curl nodejs\n{"step":"setup-server","outcome":"ready"}\nbluegreen: step-1 ended with 0\n',
  });
  expect(fs.statSync(folder("srv/data")).isDirectory()).toBe(true);
  expect((await machine().setUpWebServer()).code).toBe(0);
  expect(fs.statSync(machine().path("data")).isDirectory()).toBe(true);
});

test("a simulated machine installs nothing on yours", async () => {
  expect(await machine().setUpWebServer({ PACKAGES: "curl not-there-at-all" })).toEqual({
    code: 3,
    stdout: "",
    stderr:
      "packages: this simulated machine lacks not-there-at-all: install them on your machine\nbluegreen: step-1 ended with 3\n",
  });
});

const root = process.getuid?.() === 0;
(root ? test : test.skip)("installs what is missing, and waits for whoever holds apt's locks", async () => {
  const aptGet = `case "$*" in
    *update) [ "$(grep -c update ${folder("calls")})" -ge 3 ] ;;
    *install*) touch ${folder("installed")} ;;
  esac`;
  expect(await packages({ PATH: fakeTools(aptGet), PACKAGES: "curl not-there" })).toMatchObject({
    code: 0,
    stdout: "",
  });
  const options = "apt-get -q -y -o DPkg::Lock::Timeout=300";
  expect(calls()).toEqual([
    `${options} update`,
    "sleep 5",
    `${options} update`,
    "sleep 10",
    `${options} update`,
    `${options} --no-install-recommends install not-there`,
  ]);
});

(root ? test : test.skip)("says what could not be installed", async () => {
  expect(await packages({ PATH: fakeTools("exit 100"), PACKAGES: "not-there" })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("packages: apt-get could not install not-there: can this machine reach"),
  });
  expect(await packages({ PATH: fakeTools("exit 0"), PACKAGES: "not-there" })).toMatchObject({
    code: 1,
    stderr: "packages: not-there are still missing after apt-get installed them\n",
  });
});

(root ? test : test.skip)("on a real machine the data folder is the service user's", async () => {
  const text = compose(script("setup-web-server.sh"), {
    "install-packages.sh": script("install-packages.sh"),
  });
  const server = folder("server");
  const outcome = await machine().run(text, {
    SIM_VM_ROOT: "",
    SERVER_FOLDER: server,
    SERVICE_USER: "nobody",
    PACKAGES: "curl",
  });
  expect(outcome).toMatchObject({ code: 0, stderr: "" });
  expect(fs.statSync(path.join(server, "data")).uid).not.toBe(0);
  expect(fs.statSync(server).uid).toBe(0);
  expect(fs.statSync(server).mode & 0o777).toBe(0o750);
});

test.each([
  ["PACKAGES", ["-y", "a;id", "$(id)", "A", "a\n--x", "../a.deb", "a=1*"]],
  ["SERVICE_USER", ["a b", "-x", "$(id)"]],
])("a hostile %s is refused", async (name, values) => {
  for (const value of values) {
    const outcome = await machine().setUpWebServer({ [name]: value });
    expect({ value, ...outcome }).toMatchObject({ value, code: 2, stdout: "" });
  }
});
