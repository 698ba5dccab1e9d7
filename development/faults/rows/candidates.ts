/** Candidates that can't start, or exhaust the server: a port in use, a slow start, too much memory. */
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { join } from "node:path";
import { MEMORY_CGROUP } from "../abilities";
import { lasting } from "../injection-points";
import { readOr } from "../server-files";
import type { Row } from "../row";
import { kill } from "../stage";
import type { Stage } from "../stage";
import { until } from "../../testbed/processes";

const LIMIT_MIB = 120;

export const CANDIDATES: readonly Row[] = [
  {
    name: "port-taken",
    fault: "the candidate's port is taken",
    how: "another program listens on the idle slot's port on web-1; the slot's instance is gone",
    phases: {
      before: {
        exit: [3],
        serves: "old",
        message: /port \d+ on 127\.0\.0\.1 is taken by pid \d+/,
        goesOn: ["retry"],
      },
    },
    before: async (stage) => {
      const slot = stage.idleSlot();
      const retained = () =>
        stage.instances().filter((each) => each.server === "web-1" && each.slot === slot);
      kill(retained().map(({ pid }) => pid));
      await until(() => retained().length === 0, "the slot's old instance is gone");
      const server = createServer((socket) => socket.on("error", () => undefined).destroy());
      // The sockets of a process close a moment after it ended.
      await until(() => listens(server, stage.port("web-1", slot)), "another program has the port");
      listeners.set(stage, () => new Promise((resolve) => server.close(() => resolve())));
    },
    inject: () => Promise.resolve(),
    repair: (stage) => listeners.get(stage)!(),
  },
  {
    name: "slow-start",
    fault: "the candidate starts slowly",
    how: "a release answers 503 until it gets its settings 3 s after its start; the limit is 8 s",
    phases: { install: { exit: [0], serves: "new", goesOn: ["next release"] } },
    inject: async (stage) => {
      await lasting(3_000);
      stage.deliverSettings();
    },
  },
  {
    name: "never-starts",
    fault: "the candidate starts too slowly",
    how: "the same, but the settings come after the limit of 8 s",
    phases: {
      install: { exit: [4], serves: "old", message: /was not healthy within 8 s/, goesOn: ["retry"] },
    },
    inject: () => Promise.resolve(),
  },
  {
    name: "memory-hungry",
    fault: "the candidate eats memory",
    how: `a release takes 20 MB with every request for goals; each instance is in a cgroup (v1) of ${LIMIT_MIB} MiB from its first weight on, and the kernel kills it`,
    needs: ["cgroups"],
    phases: {
      shift: {
        exit: [5],
        serves: "old",
        message: /traffic is back on/,
        costs: {
          requests: 30,
          gapMs: 2_000,
          because: "requests that ran in the killed instance",
        },
        goesOn: ["next release"],
      },
    },
    release: async (stage) => {
      const version = stage.nextVersion();
      const { file } = await stage.world.pack(version, "1.1.0");
      const folder = stage.world.path(`packages/hungry-${version}`);
      execFileSync("unzip", ["-q", file, "-d", folder]);
      appendFileSync(
        join(folder, "server.js"),
        `\nconst eaten = [];\nconst { emit } = http.Server.prototype;\nhttp.Server.prototype.emit = function (event, ...rest) {\n  if (event === "request" && rest[0].url.startsWith("/api/goals")) eaten.push(Buffer.alloc(2e7, 1));\n  return emit.call(this, event, ...rest);\n};\n`,
      );
      return { version, artifact: ["--artifact", folder] };
    },
    inject: (stage) => {
      for (const { pid, server } of stage.candidates()) {
        const group = join(MEMORY_CGROUP, `bluegreen-faults-${process.pid}-${server}`);
        mkdirSync(group);
        stage.atTheEnd(() => {
          // Processes that the kernel did not kill.
          for (const left of readOr(join(group, "cgroup.procs"), "").split("\n").filter(Boolean))
            writeFileSync(join(MEMORY_CGROUP, "cgroup.procs"), left);
          rmdirSync(group);
        });
        writeFileSync(join(group, "memory.limit_in_bytes"), String(LIMIT_MIB * 2 ** 20));
        writeFileSync(join(group, "cgroup.procs"), String(pid));
      }
      return Promise.resolve();
    },
  },
];

const listeners = new WeakMap<Stage, () => Promise<void>>();

async function listens(server: Server, port: number): Promise<boolean> {
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
    return true;
  } catch {
    return false;
  }
}
