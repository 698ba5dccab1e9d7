import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { base64, eachTestHasAServer, expectFailure, type Parameters } from "./server";
import { until } from "../../../development/testbed/processes";

const server = eachTestHasAServer();
const folder = (name: string): string => path.join(server().root, name);
const calls = (): string[] =>
  fs
    .readFileSync(folder("calls"), "utf8")
    .trim()
    .split("\n")
    .filter((call) => call !== "--version");

/** A systemctl that starts what the unit's environment file and the slot's link say, and notes how it was called. */
function systemd(overrides: Parameters = {}): Parameters {
  fs.mkdirSync(folder("bin"), { recursive: true });
  fs.writeFileSync(
    folder("bin/systemctl"),
    `#!/bin/bash
root=${server().root} SERVER_FOLDER=${server().folder}
printf '%s\\n' "$*" >>"$root/calls"
slot=\${!#}; slot=\${slot#*@}; slot=\${slot%.service}
case $1 in
  restart)
    cd "$(readlink -f "$SERVER_FOLDER/slots/$slot")" && set -a && . "$SERVER_FOLDER/run/$slot.env" && set +a
    setsid node server.js >>"$SERVER_FOLDER/logs/$slot.log" 2>&1 </dev/null &
    echo $! >"$root/pid" ;;
  is-active) kill -0 "$(cat "$root/pid")" 2>/dev/null ;;
  stop) [ ! -e "$root/pid" ] || kill -TERM "$(cat "$root/pid")" 2>/dev/null || true ;;
esac
`,
    { mode: 0o755 },
  );
  return {
    SERVICE_MANAGER: "systemd",
    SYSTEMD_FOLDER: folder("units"),
    SERVICE_USER: os.userInfo().username,
    PATH: `${folder("bin")}:${process.env["PATH"]}`,
    ...overrides,
  };
}

test("writes a unit, an environment and a command, and restarts the slot", async () => {
  const command = ["node", "server.js", 'a "b" $HOME 100% \\n', ";"];
  const parameters = systemd({ START_COMMAND_BASE64: base64(command.join("\n")), STOP_SECONDS: "7" });
  const outcome = await server().install(server().parameters(1, server().application(), parameters));
  expect(outcome).toMatchObject({ code: 0, stderr: "", result: { outcome: "installed" } });
  expect((await server().get()).release).toBe("1.0.0-1");
  expect(calls().slice(0, 3)).toEqual([
    "daemon-reload",
    "enable --quiet demo@blue.service",
    "restart demo@blue.service",
  ]);
  expect(calls()).toContain("restart demo-logs.service");

  const unit = fs.readFileSync(folder("units/demo@.service"), "utf8").split("\n");
  for (const line of [
    `User=${os.userInfo().username}`,
    `WorkingDirectory=${server().folder}/slots/%i`,
    `EnvironmentFile=${server().folder}/run/%i.env`,
    "KillMode=mixed",
    "Restart=always",
    "StartLimitIntervalSec=0",
    "IPAddressDeny=169.254.169.254",
    "ProtectHome=yes",
    "NoNewPrivileges=yes",
    "ProtectSystem=full",
    "PrivateTmp=yes",
    "ProtectProc=invisible",
    ...(os.userInfo().username === "root" ? [] : ["CapabilityBoundingSet="]),
  ])
    expect(unit).toContain(line);
  expect(fs.readFileSync(folder("units/demo@blue.service.d/start.conf"), "utf8")).toBe(
    '[Service]\nExecStart=\nExecStart=/usr/bin/env "node" "server.js" "a \\"b\\" $$HOME 100%% \\\\n" ";"\n',
  );
  expect(server().read("run/blue.env").split("\n")).toContain('BLUEGREEN_RELEASE_ID="1.0.0-1"');

  expect(
    (await server().install(server().parameters(1, server().application(), parameters))).result,
  ).toMatchObject({
    outcome: "already-installed",
  });
});

const verify = spawnSync("systemd-analyze", ["--version"]).status === 0;
(verify ? test : test.skip)(
  "systemd accepts the unit" + (verify ? "" : " (SKIPPED: no systemd-analyze)"),
  async () => {
    await server().install(
      server().parameters(
        1,
        server().application(),
        systemd({ START_COMMAND_BASE64: base64('node\nserver.js\n"x" 5% $Y \\') }),
      ),
    );
    const { status, stderr, stdout } = spawnSync("systemd-analyze", ["verify", "demo@blue.service"], {
      encoding: "utf8",
      env: { ...process.env, SYSTEMD_UNIT_PATH: `${folder("units")}:` },
    });
    const logs = spawnSync("systemd-analyze", ["verify", "demo-logs.service"], {
      encoding: "utf8",
      env: { ...process.env, SYSTEMD_UNIT_PATH: `${folder("units")}:` },
    });
    expect(logs).toMatchObject({ status: 0, stderr: expect.not.stringContaining("demo-logs") });
    const ours = (stdout + stderr).split("\n").filter((line) => line.includes("demo@"));
    expect({ status, ours }).toEqual({ status: 0, ours: [] });
  },
);

(verify ? test : test.skip)("systemd rates the unit's sandbox as good", async () => {
  const SERVICE_USER = os.userInfo().username === "root" ? "www-data" : os.userInfo().username;
  await server().install(server().parameters(1, server().application(), systemd({ SERVICE_USER })));
  const args = ["security", "--offline=yes", "--no-pager", folder("units/demo@.service")];
  const { stdout } = spawnSync("systemd-analyze", args, { encoding: "utf8" });
  const exposure = Number(/Overall exposure level for demo@i\.service: ([\d.]+)/.exec(stdout)?.[1]);
  expect(exposure).toBeGreaterThan(0);
  expect(exposure).toBeLessThan(3.5); // 9.2 without a sandbox
});

test("an application that uses the machine's identity may reach the metadata address", async () => {
  const parameters = systemd({ ALLOW_METADATA: "yes" });
  await server().install(server().parameters(1, server().application(), parameters));
  expect(fs.readFileSync(folder("units/demo@.service"), "utf8")).not.toContain("IPAddressDeny");
});

test("a changed STOP_SECONDS holds for the release that is stopped", async () => {
  const limit = () => fs.readFileSync(folder("units/demo@blue.service.d/stop.conf"), "utf8");
  const artifact = server().application();
  const install = (sequence: number, STOP_SECONDS: string) =>
    server().install(
      server().parameters(sequence, artifact, systemd({ STOP_SECONDS, DEADLINE_SECONDS: "60" })),
    );
  expect(await install(1, "7")).toMatchObject({ code: 0 });
  expect(limit()).toBe("[Service]\nTimeoutStopSec=7\n");
  fs.writeFileSync(folder("calls"), "");
  expect(await install(2, "9")).toMatchObject({ code: 0 });
  expect(limit()).toBe("[Service]\nTimeoutStopSec=9\n");
  expect(calls().slice(0, 2)).toEqual(["daemon-reload", "stop demo@blue.service"]);
});

test("a rejected release is stopped and does not come up at the next boot", async () => {
  await server().install(server().parameters(1, server().application(), systemd()));
  const bad = server().application({ status: 500 });
  const outcome = await server().install(server().parameters(2, bad, systemd({ DEADLINE_SECONDS: "1" })));
  expectFailure(outcome, 4);
  expect(calls().slice(-2)).toEqual(["stop demo@blue.service", "disable --quiet demo@blue.service"]);
  expect(server().linked()).toBe("1.0.0-1");
  expect(server().instances()).toEqual([]);
});

test("in place: a rejected release makes room for the old one", async () => {
  await server().install(server().parameters(1, server().application(), systemd()));
  const bad = server().application({ diesSaying: "no" });
  const outcome = await server().install(server().parameters(2, bad, systemd({ MODE: "inPlace" })));
  expect(outcome).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("is running again"),
    result: { outcome: "restored", releaseId: "1.0.0-1" },
  });
  expect((await server().get()).release).toBe("1.0.0-1");
});

test("an emptied slot is stopped and disabled; a change of manager leaves no instance behind", async () => {
  await server().install(server().parameters(1, server().application()));
  await server().install(server().parameters(2, server().application(), systemd()));
  expect(server().instances()).toHaveLength(1);
  const outcome = await server().install(
    server().parameters(3, { file: "", sha256: "" }, systemd({ RELEASE_ID: "" })),
  );
  expect(outcome).toMatchObject({ code: 0, result: { outcome: "emptied" } });
  await until(() => server().instances().length === 0, "nothing runs");
  expect(calls().slice(-2)).toEqual(["stop demo@blue.service", "disable --quiet demo@blue.service"]);
});

test("a user that does not exist is bad input", async () => {
  const outcome = await server().install(
    server().parameters(1, server().application(), systemd({ SERVICE_USER: "nobody-here" })),
  );
  expect(outcome).toMatchObject({
    code: 2,
    stderr: "install: SERVICE_USER nobody-here does not exist on this server: create it\n",
  });
});
