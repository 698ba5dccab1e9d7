/** Two proxies, and the machine of the second one dies, stalls, restarts or comes back from an old backup. */
import type { InjectionPoint } from "../injection-points";
import type { EndState, ProxyStep, Row } from "../row";
import type { Stage } from "../stage";

const step = (exit: number, ...command: readonly string[]): ProxyStep => ({ command, exit });

const BACK = step(6, "rollback");
const CATCHES_UP = step(0, "retry");
const HEALED = step(0, "heal", "proxy-2");

const NAMED =
  /^proxy-2.*without it `bluegreen retry --without proxy-2` goes on, and `bluegreen (abort|rollback)` goes back$/;

const CANARY = ["--strategy", "canary", "--steps", "50,100", "--step-seconds", "3", "--bake-seconds", "0.5"];

/** The second proxy stays away until it is repaired. */
const away: Row["phases"] = {
  before: {
    exit: [3],
    serves: "old",
    endsOn: "old",
    message: /proxy-2 can't be queried: .*nothing was changed/,
    goesOn: [],
  },
  begin: {
    exit: [1],
    serves: "old",
    message: NAMED,
    endsOn: "old",
    whileAway: [step(6, "abort")],
    goesOn: [CATCHES_UP],
  },
  install: {
    exit: [6],
    serves: "new",
    message: NAMED,
    endsOn: "old",
    whileAway: [BACK],
    goesOn: [CATCHES_UP],
  },
  shift: { exit: [6], serves: "new", message: NAMED, endsOn: "old", whileAway: [BACK], goesOn: [CATCHES_UP] },
  bake: { exit: [6], serves: "new", message: NAMED, endsOn: "old", whileAway: [BACK], goesOn: [CATCHES_UP] },
  // The second proxy's begin fails before the first one switches.
  rollback: {
    exit: [1],
    serves: "old",
    message: NAMED,
    endsOn: "new",
    whileAway: [step(6, "retry", "--without", "proxy-2")],
    goesOn: [CATCHES_UP],
  },
  abort: { exit: [6], serves: "old", endsOn: "old", goesOn: [CATCHES_UP] },
};

const rebooted: EndState = { exit: [0], serves: "new", endsOn: "new", goesOn: [] };

/** What runs on the machine ends with it. */
const lostStep: EndState = {
  exit: [1],
  serves: "old",
  message: /^proxy-2: /,
  endsOn: "new",
  whileAway: [step(0, "retry")],
  goesOn: [],
};

async function base(stage: Stage, phase: InjectionPoint): Promise<void> {
  if (phase === "install") stage.deliverSettings();
  await Promise.resolve();
}

const release: Row["release"] = (_, phase) =>
  Promise.resolve(phase === "shift" || phase === "abort" ? { args: CANARY } : {});

const afterwards = (inject: (stage: Stage) => Promise<void>): Pick<Row, "before" | "inject"> => ({
  before: (stage, phase) => (phase === "before" ? inject(stage) : Promise.resolve()),
  inject: async (stage, _, phase) => {
    if (phase !== "before") await inject(stage);
    await base(stage, phase);
  },
});

export const PROXIES: readonly Row[] = [
  {
    name: "proxy-dead",
    fault: "one of two proxies is dead",
    how: "SIGKILL to everything on proxy-2, which stays off until it is repaired",
    world: "twoProxies",
    phases: away,
    release,
    ...afterwards((stage) => stage.second.losePower()),
    repair: (stage) => stage.second.start(),
  },
  {
    name: "proxy-stalled",
    fault: "one of two proxies stalls",
    how: "SIGSTOP to everything on proxy-2: connections hang, nothing is closed, until it is repaired",
    world: "twoProxies",
    phases: away,
    release,
    ...afterwards((stage) => {
      stage.second.stall();
      stage.atTheEnd(() => stage.second.resume());
      return Promise.resolve();
    }),
    repair: (stage) => {
      stage.second.resume();
      return Promise.resolve();
    },
  },
  {
    name: "proxy-rebooted",
    fault: "one of two proxies restarts",
    how: "SIGKILL to everything on proxy-2; then it starts at once, with what is on its disk",
    world: "twoProxies",
    phases: {
      before: rebooted,
      begin: lostStep,
      install: rebooted,
      shift: rebooted,
      bake: rebooted,
      rollback: lostStep,
      abort: { ...rebooted, exit: [0, 6], serves: "old", endsOn: "old", goesOn: [CATCHES_UP] },
    },
    release,
    ...afterwards(async (stage) => {
      await stage.second.losePower();
      await stage.second.start();
    }),
  },
  {
    name: "proxy-restored",
    fault: "one of two proxies comes back with an old state",
    how: "SIGKILL to everything on proxy-2; then it starts with its disk as it was after the first release",
    world: "twoProxies",
    phases: {
      before: {
        exit: [3],
        serves: "old",
        endsOn: "old",
        message: /came back with an old state/,
        goesOn: [HEALED],
      },
      begin: {
        exit: [1],
        serves: "old",
        message: /^proxy-2: /,
        endsOn: "old",
        whileAway: [step(0, "abort")],
        goesOn: [],
      },
      install: { exit: [6], serves: "new", endsOn: "old", whileAway: [step(0, "rollback")], goesOn: [] },
      shift: { exit: [6], serves: "new", endsOn: "old", whileAway: [step(0, "rollback")], goesOn: [] },
      bake: { exit: [6], serves: "new", endsOn: "old", whileAway: [step(0, "rollback")], goesOn: [] },
      rollback: {
        exit: [1],
        serves: "old",
        message: /^proxy-2: /,
        endsOn: "new",
        whileAway: [step(6, "retry", "--without", "proxy-2")],
        goesOn: [CATCHES_UP],
      },
      // 6 if it went down while it aborted, 0 if it was back before the abort went on.
      abort: { exit: [0, 6], serves: "old", endsOn: "old", goesOn: [CATCHES_UP] },
    },
    release,
    ...afterwards(async (stage) => {
      await stage.second.losePower();
      stage.restoreOldDisk();
      await stage.second.start();
    }),
  },
];
