/** kill -9 of instances, the candidate's and the live ones. The local platform does not restart them; systemd would. */
import { until } from "../../testbed/processes";
import type { EndState, Row } from "../row";
import { kill } from "../stage";

const CUT: EndState["costs"] = {
  requests: 12,
  gapMs: 2_000,
  because: "requests that ran in the killed instance",
};

export const INSTANCES: readonly Row[] = [
  {
    name: "kill-candidate",
    fault: "kill -9 of the candidate's instances",
    how: "SIGKILL to the candidate's process on every server",
    phases: {
      install: { exit: [4], serves: "old", message: /ended before it was healthy/, goesOn: ["retry"] },
      verify: {
        exit: [4],
        serves: "old",
        message: /got no requests: .*; .* keeps all requests/,
        goesOn: ["retry"],
      },
      shift: { exit: [5], serves: "old", message: /traffic is back on/, costs: CUT, goesOn: ["retry"] },
      bake: {
        exit: [5],
        serves: "old",
        message: /traffic is back on/,
        costs: CUT,
        goesOn: ["abort", "next release"],
      },
    },
    inject: async (stage, _, phase) => {
      if (phase === "verify") {
        const director = stage.directorPid();
        kill([director], "SIGSTOP");
        kill(stage.candidates().map(({ pid }) => pid));
        kill([director], "SIGCONT");
        return;
      }
      kill(stage.candidates().map(({ pid }) => pid));
      await until(() => stage.candidates().length === 0, "the candidate is gone");
    },
  },
  {
    name: "kill-one-candidate",
    fault: "kill -9 of the candidate on one of two servers",
    how: "SIGKILL to the candidate's process on web-1",
    phases: {
      shift: {
        exit: [5],
        serves: "old",
        message: /web-1 .*traffic is back on/,
        costs: CUT,
        goesOn: ["retry"],
      },
      bake: {
        exit: [5],
        serves: "old",
        message: /web-1 .*traffic is back on/,
        costs: CUT,
        goesOn: ["retry"],
      },
    },
    inject: (stage) => {
      kill(stage.candidates().flatMap(({ pid, server }) => (server === "web-1" ? [pid] : [])));
      return Promise.resolve();
    },
  },
  {
    name: "kill-live",
    fault: "kill -9 of the live instance on one of two servers",
    how: "SIGKILL to the live process on web-1",
    phases: {
      install: { exit: [0], serves: "new", costs: CUT, goesOn: ["heal", "rollback"] },
      shift: { exit: [0], serves: "new", costs: CUT, goesOn: ["heal", "rollback"] },
      bake: { exit: [0], serves: "new", costs: CUT, goesOn: ["heal", "rollback"] },
    },
    inject: (stage, _, phase) => {
      kill(stage.live().flatMap(({ pid, server }) => (server === "web-1" ? [pid] : [])));
      if (phase === "install") stage.deliverSettings();
      return Promise.resolve();
    },
  },
];
