/** The network between proxy and slots is interrupted, or an instance hangs. */
import { spawnSync } from "node:child_process";
import type { Slot } from "../../../release/slot";
import { lasting } from "../injection-points";
import type { EndState, Row } from "../row";
import { kill } from "../stage";
import type { Instance, Stage } from "../stage";

const WAITED: EndState["costs"] = {
  requests: 60,
  gapMs: 3_000,
  because: "requests sent to an instance that does not answer",
};

/** Three rounds of the director's requests, each of 5 s, must fail. */
const HUNG: EndState["costs"] = {
  requests: 250,
  gapMs: 3_000,
  because: "requests that the instance got until it was found down",
};

/** Packets to an instance vanish, as with a pulled cable: no RST, no FIN. */
function drop(stage: Stage, instances: readonly { server: string; slot: Slot }[], append: boolean): void {
  for (const { server, slot } of instances) {
    const port = String(stage.port(server, slot));
    for (const side of ["--dport", "--sport"]) {
      const { status, stderr } = spawnSync(
        "iptables",
        ["-w", append ? "-A" : "-D", "INPUT", "-i", "lo", "-p", "tcp", side, port, "-j", "DROP"],
        { encoding: "utf8" },
      );
      if (status !== 0) throw new Error(`iptables: ${stderr}`);
    }
  }
}

async function cut(stage: Stage, instances: readonly Instance[], milliseconds: number): Promise<void> {
  let isCut = true;
  drop(stage, instances, true);
  const mend = () => {
    if (isCut) drop(stage, instances, false);
    isCut = false;
  };
  stage.atTheEnd(mend);
  await lasting(milliseconds);
  mend();
}

async function freeze(stage: Stage, instances: readonly Instance[], milliseconds: number): Promise<void> {
  const pids = instances.map(({ pid }) => pid);
  kill(pids, "SIGSTOP");
  stage.atTheEnd(() => kill(pids, "SIGCONT"));
  await lasting(milliseconds);
  kill(pids, "SIGCONT");
}

const onWeb1 = (instances: readonly Instance[]) => instances.filter(({ server }) => server === "web-1");

export const NETWORKS: readonly Row[] = [
  {
    name: "candidate-stands-still",
    fault: "the candidate hangs",
    how: "SIGSTOP to the candidate on web-1 for 6 s: the kernel accepts connections, nothing answers",
    phases: {
      verify: { exit: [4, 0], serves: "verified", goesOn: ["next release"] },
      // A pause is no slowness: those whose requests it held waited for that long, and the release goes on.
      shift: { exit: [0], serves: "new", costs: WAITED, goesOn: ["next release"] },
    },
    inject: (stage) => freeze(stage, onWeb1(stage.candidates()), 6_000),
  },
  {
    name: "candidate-hangs",
    fault: "the candidate hangs for good",
    how: "SIGSTOP to the candidate on web-1 for 30 s",
    phases: { shift: { exit: [5], serves: "old", costs: HUNG, goesOn: ["retry"] } },
    inject: (stage) => freeze(stage, onWeb1(stage.candidates()), 30_000),
  },
  {
    name: "live-stands-still",
    fault: "the live instance on one server hangs",
    how: "SIGSTOP to the live process on web-1 for 3 s",
    phases: { shift: { exit: [0, 5], serves: "verified", costs: WAITED, goesOn: ["next release"] } },
    inject: (stage) => freeze(stage, onWeb1(stage.live()), 3_000),
  },
  {
    name: "network-candidate",
    fault: "the network to the candidate pauses",
    how: "iptables drops all packets to and from the candidate's ports for 6 s, in the matrix's network namespace",
    needs: ["firewall"],
    phases: {
      shift: { exit: [5], serves: "old", costs: WAITED, goesOn: ["retry"] },
      // With a bake of 3 s the interruption may end before three of the director's requests have failed (5 s each).
      bake: {
        exit: [0, 5],
        serves: "verified",
        costs: { ...WAITED, requests: 400, gapMs: 8_000 },
        goesOn: ["next release"],
      },
    },
    inject: (stage) => cut(stage, stage.candidates(), 6_000),
  },
  {
    name: "network-live",
    fault: "the network to one live server pauses",
    how: "iptables drops all packets to and from the live instance's port on web-1 for 3 s",
    needs: ["firewall"],
    phases: { shift: { exit: [0, 5], serves: "verified", costs: WAITED, goesOn: ["next release"] } },
    inject: (stage) => cut(stage, onWeb1(stage.live()), 3_000),
  },
];
