/** kill -9 of everything that works on a release: Terraform, the director, the command, the proxy. */
import { until } from "../../testbed/processes";
import type { EndState, Row } from "../row";
import { kill } from "../stage";

const ended = (goesOn: EndState["goesOn"], more: Partial<EndState> = {}): EndState => ({
  exit: [1],
  serves: "old",
  message:
    /terraform was ended by SIGKILL: `bluegreen retry` or `bluegreen abort` goes on|aborted by SIGTERM/,
  goesOn,
  ...more,
});

/** The shell that started the director detects the kill, and starts `director abort`. */
const putBack = (goesOn: EndState["goesOn"], more: Partial<EndState> = {}): EndState => ({
  exit: [5],
  serves: "old",
  message: /director: (begin|switch) was killed; rolling traffic back to stable/,
  goesOn,
  ...more,
});

const killed = (goesOn: EndState["goesOn"], more: Partial<EndState> = {}): EndState => ({
  exit: ["killed"],
  serves: "old",
  goesOn,
  ...more,
});

const NO_RECEIPT =
  "the sequence had no receipt, and the next one deleted its journal: now the next command writes the receipt (`interrupted`)";
const LATE_LINES =
  "the receipt lacked what the director did after Terraform ended: now the next command completes it";
const PROXY_STAYED_DOWN =
  "on the local platform the proxy did not restart: now it does, as with systemd on a server, and a director waits up to 3 s for it";

const KILLED_DURING_COMMAND = `${PROXY_STAYED_DOWN}; and killed during a command from the director, it made the release roll back, or left unknown traffic: now the director repeats the command`;

const PROXY_IS_BACK: EndState["costs"] = {
  requests: 400,
  gapMs: 4_000,
  because: "nothing answers until the proxy runs again",
};

export const KILLS: readonly Row[] = [
  {
    name: "kill-terraform",
    fault: "kill -9 of terraform",
    how: "SIGKILL to `terraform apply`",
    phases: {
      begin: ended(["retry"]),
      migrate: ended(["retry"]),
      install: ended(["abort", "next release"]),
      verify: ended(["retry"]),
      shift: ended(["retry"]),
      bake: ended(["abort", "next release"]),
      drain: ended(["retry"], { serves: "new", mended: LATE_LINES }),
      converge: ended(["retry"], { serves: "new" }),
    },
    inject: async (stage) => {
      await until(() => stage.pids(/terraform apply/).length > 0, "terraform applies");
      kill(stage.pids(/terraform apply/));
    },
  },
  {
    name: "kill-director",
    fault: "kill -9 of the director",
    how: "SIGKILL to the director's process",
    phases: {
      begin: putBack(["retry"]),
      verify: putBack(["abort", "next release"]),
      shift: putBack(["retry"]),
      bake: putBack(["abort", "next release"]),
      drain: putBack(["retry"], { serves: "new" }),
    },
    inject: async (stage) => {
      kill([stage.directorPid()]);
    },
  },
  {
    name: "kill-command",
    fault: "kill -9 of the command",
    how: "SIGKILL to `bluegreen release`, but not to its Terraform",
    phases: {
      begin: killed(["retry"], { serves: "verified", mended: NO_RECEIPT }),
      migrate: killed(["retry"], { serves: "verified", mended: NO_RECEIPT }),
      install: killed(["abort", "next release"]),
      verify: killed(["retry"], { serves: "verified" }),
      shift: killed(["abort", "next release"], { serves: "verified" }),
      bake: killed(["retry"], { serves: "verified" }),
      converge: killed(["retry"], { serves: "new", mended: NO_RECEIPT }),
    },
    inject: (_, { running }) => {
      process.kill(running.pid, "SIGKILL");
      return Promise.resolve();
    },
    // Terraform holds the state's lock while it applies, so a retry would be refused (exit 3, "another apply runs; wait for it").
    repair: (stage) =>
      until(() => stage.pids(/terraform apply/).length === 0, "the terraform that was left alone has ended"),
  },
  {
    name: "kill-proxy",
    fault: "kill -9 of the proxy",
    how: "SIGKILL to haproxy",
    phases: {
      install: {
        exit: [0],
        serves: "new",
        goesOn: ["next release"],
        costs: PROXY_IS_BACK,
        mended: PROXY_STAYED_DOWN,
      },
      shift: {
        exit: [0, 5],
        serves: "verified",
        goesOn: ["next release"],
        costs: PROXY_IS_BACK,
        mended: KILLED_DURING_COMMAND,
      },
      bake: {
        exit: [0, 5],
        serves: "verified",
        goesOn: ["next release"],
        costs: PROXY_IS_BACK,
        mended: KILLED_DURING_COMMAND,
      },
    },
    inject: async (stage, _, phase) => {
      kill(stage.pids(/haproxy/));
      if (phase === "install") {
        await until(async () => (await stage.world.serving(0, 1))[0] === stage.stable(), "the proxy is back");
        stage.deliverSettings();
      }
    },
  },
];
