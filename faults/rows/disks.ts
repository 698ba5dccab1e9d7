/** Disks that are full or read-only: a web server's and the proxy's. */
import type { EndState, Row } from "../row";
import { kill } from "../stage";
import type { Stage } from "../stage";

const HOW_FULL = "the server's folder is a tmpfs of 24 MiB, filled to its last byte";
const HOW_READ_ONLY =
  "the server's folder is mounted read-only over itself; what had it open before goes on writing, as it would not on a real disk";

/** While the director stands still, so that it meets the fault in this phase. */
async function inPhase(stage: Stage, phase: string, change: () => void): Promise<void> {
  const director = phase === "before" ? undefined : stage.directorPid();
  if (director !== undefined) kill([director], "SIGSTOP");
  change();
  if (director !== undefined) kill([director], "SIGCONT");
  return Promise.resolve();
}

const stays = (goesOn: EndState["goesOn"], more: Partial<EndState>): EndState => ({
  exit: [1],
  serves: "old",
  says: /ENOSPC|[Nn]o space left/,
  goesOn,
  ...more,
});

export const DISKS: readonly Row[] = [
  {
    name: "full-disk-web",
    fault: "the disk of a web server is full",
    how: HOW_FULL,
    needs: ["mounts"],
    world: "smallDisks",
    phases: {
      before: stays(["retry"], { exit: [1, 4] }),
      shift: { exit: [0], serves: "new", goesOn: ["next release"] },
    },
    before: (stage, phase) => {
      if (phase === "before") stage.disk("web-1").fill();
      return Promise.resolve();
    },
    inject: (stage, _, phase) => {
      if (phase !== "before") stage.disk("web-1").fill();
      return Promise.resolve();
    },
    repair: (stage) => {
      stage.disk("web-1").free();
      return Promise.resolve();
    },
  },
  {
    name: "full-disk-proxy",
    fault: "the disk of the proxy is full",
    how: HOW_FULL,
    needs: ["mounts"],
    world: "smallDisks",
    phases: {
      before: stays(["retry"], {}),
      verify: stays(["retry"], {}),
      shift: stays(["retry"], { serves: "verified" }),
      bake: stays(["abort", "next release"], { serves: "verified" }),
    },
    before: (stage, phase) => {
      if (phase === "before") stage.disk("proxy-1").fill();
      return Promise.resolve();
    },
    inject: (stage, _, phase) =>
      phase === "before" ? Promise.resolve() : inPhase(stage, phase, () => stage.disk("proxy-1").fill()),
    repair: (stage) => {
      stage.disk("proxy-1").free();
      return Promise.resolve();
    },
  },
  {
    name: "read-only-web",
    fault: "the folder of a web server is read-only",
    how: HOW_READ_ONLY,
    needs: ["mounts"],
    world: "smallDisks",
    phases: {
      before: stays(["retry"], { says: /[Rr]ead-only/ }),
      shift: { exit: [0], serves: "new", goesOn: ["next release"] },
    },
    before: (stage, phase) => {
      if (phase === "before") stage.disk("web-1").makeReadOnly();
      return Promise.resolve();
    },
    inject: (stage, _, phase) => {
      if (phase !== "before") stage.disk("web-1").makeReadOnly();
      return Promise.resolve();
    },
    repair: (stage) => {
      stage.disk("web-1").makeWritable();
      return Promise.resolve();
    },
  },
  {
    name: "read-only-proxy",
    fault: "the folder of the proxy is read-only",
    how: HOW_READ_ONLY,
    needs: ["mounts"],
    world: "smallDisks",
    phases: { before: stays(["retry"], { says: /EROFS|[Rr]ead-only/ }) },
    before: (stage) => {
      stage.disk("proxy-1").makeReadOnly();
      return Promise.resolve();
    },
    inject: () => Promise.resolve(),
    repair: (stage) => {
      stage.disk("proxy-1").makeWritable();
      return Promise.resolve();
    },
  },
];
