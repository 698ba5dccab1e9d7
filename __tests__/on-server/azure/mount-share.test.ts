/** The share of storage.shared on a Linux web server: mounted by a unit of systemd, and marked. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { compose, eachTestHasAMachine, PATH, script } from "./machine";

const machine = eachTestHasAMachine();
const SHARED_SOURCE = "shshopprod1a2b3.file.core.windows.net:/shshopprod1a2b3/shared";
const folder = (name: string): string => path.join(machine().root, name);

test("a simulated machine gets a folder with its mark, which is written once", async () => {
  const text = script("mount-share.sh");
  const files = { "install-packages.sh": script("install-packages.sh") };
  const set = () => machine().start(compose(text, files), { SHARED_SOURCE, PACKAGES: "bash" }).done;
  expect(await set()).toMatchObject({ code: 0, stderr: "" });
  const mark = machine().path("shared/.bluegreen/share");
  fs.writeFileSync(mark, "of before\n");
  expect(await set()).toMatchObject({ code: 0, stderr: "" });
  expect(fs.readFileSync(mark, "utf8")).toBe("of before\n");
});

test.each(["", "elsewhere:/x/y", "shop.file.core.windows.net:/shop/a;b", `${SHARED_SOURCE}\nOptions=suid`])(
  "refuses the share %j",
  async (source) => {
    const ran = await machine().run(script("mount-share.sh"), { SHARED_SOURCE: source });
    expect(ran).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("setup: SHARED_SOURCE must be") as string,
    });
  },
);

/** Tools of a machine that is no stand-in: `systemctl start` fails so many times. */
function tools(failures: number): Record<string, string> {
  fs.mkdirSync(folder("bin"), { recursive: true });
  fs.mkdirSync(folder("units"), { recursive: true });
  fs.mkdirSync(folder("server/files"), { recursive: true });
  fs.writeFileSync(folder("server/files/install-packages.sh"), "exit 0\n");
  const tool = (name: string, text: string): void =>
    fs.writeFileSync(folder(`bin/${name}`), `#!/bin/bash\n${text}\n`, { mode: 0o755 });
  tool("sleep", `echo "sleep $*" >>${folder("calls")}`);
  tool(
    "systemctl",
    `echo "systemctl $*" >>${folder("calls")}
[[ $1 != start ]] || { n=$(grep -c "systemctl start" ${folder("calls")}); if ((n <= ${failures})); then echo "mount failed" >&2; exit 1; fi; touch ${folder("mounted")}; }`,
  );
  tool("findmnt", `[[ -e ${folder("mounted")} ]]`);
  const PATHS = `${folder("bin")}:${PATH}`;
  return {
    PATH: PATHS,
    SERVER_FOLDER: folder("server"),
    SERVER_NAME: "web-1",
    SYSTEMD_FOLDER: folder("units"),
    SHARED_SOURCE,
  };
}

function mount(env: Record<string, string>) {
  return spawnSync("bash", ["-c", script("mount-share.sh")], {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}
const calls = (): string[] => fs.readFileSync(folder("calls"), "utf8").trim().split("\n");

test("a machine mounts it with a unit that systemd accepts, tries again for minutes, and does nothing twice", () => {
  const env = tools(2);
  expect(mount(env)).toMatchObject({
    status: 0,
    stdout: '{"step":"mount-share","outcome":"ready"}\n',
    stderr: "",
  });
  const [unit] = fs.readdirSync(folder("units"));
  // As systemd wants it: the name of its mount point.
  const named = folder("server/shared").slice(1).replaceAll("-", "\\x2d").replaceAll("/", "-");
  expect(unit).toBe(`${named}.mount`);
  const text = fs.readFileSync(folder(`units/${unit}`), "utf8");
  expect(text).toContain(`What=${SHARED_SOURCE}\nWhere=${folder("server/shared")}\nType=nfs\n`);
  expect(text).toMatch(/Options=vers=4,minorversion=1,sec=sys,.*nosuid,nodev,noexec/);
  expect(text).not.toMatch(/soft/);
  expect(calls().filter((call) => call.startsWith("sleep"))).toEqual(["sleep 5", "sleep 10"]);

  const verified = spawnSync("systemd-analyze", ["verify", folder(`units/${unit}`)], { encoding: "utf8" });
  // Without the network's unit or NFS here, that is all it may say.
  const complaints = verified.stderr
    .split("\n")
    .filter((line) => line.includes(unit!) && !/not found|Failed to (load|create)/.test(line));
  expect(complaints).toEqual([]);

  expect(mount(env).status).toBe(0);
  expect(fs.readFileSync(folder("server/shared/.bluegreen/share"), "utf8")).toContain(
    "shared by the servers",
  );
  const other = mount({ ...env, SHARED_SOURCE: SHARED_SOURCE.replaceAll("1a2b3", "9z9z9") });
  expect(other).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("another share is mounted") as string,
  });
  expect(fs.readFileSync(folder(`units/${unit}`), "utf8")).toBe(text);
});

test("says why it can't be mounted, and marks nothing", () => {
  const ran = mount(tools(99));
  expect(ran).toMatchObject({ status: 1, stdout: "" });
  expect(ran.stderr).toContain(
    `setup: ${SHARED_SOURCE} cannot be mounted: mount failed: are the private endpoint and its DNS zone there?`,
  );
  expect(fs.existsSync(folder("server/shared/.bluegreen"))).toBe(false);
});
