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

const NO_WORDS =
  "the failure read `run-command.sh: line 50: echo: write error`, because a step's own words found no room either: the local platform says which server's disk it is, and what to do";
const HALF_A_LINE =
  "the director's events.jsonl was left with half a line, in which the next one went on: it is taken out again; and the failure read `run-command.sh: line 50: echo: write error`";
const WRONG_WORDS =
  "the failure said that the step `was run before`, with exit code 3, because its folder could not be made: it says that nothing can be written there, with exit code 1";

const stays = (goesOn: EndState["goesOn"], more: Partial<EndState>): EndState => ({
  exit: [1],
  serves: "old",
  says: /nothing can be written on (web-1|proxy-1) \(is its disk full, or read-only\?\)|ENOSPC: no space left/,
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
      before: stays(["retry"], { mended: NO_WORDS }),
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
      before: stays(["retry"], { mended: NO_WORDS }),
      verify: stays(["retry"], { mended: NO_WORDS }),
      shift: stays(["retry"], { serves: "verified", mended: HALF_A_LINE }),
      bake: stays(["abort", "next release"], { serves: "verified", mended: NO_WORDS }),
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
      before: stays(["retry"], { mended: WRONG_WORDS }),
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
    phases: { before: stays(["retry"], { mended: WRONG_WORDS }) },
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
