/** Disks that are full or read-only: a web server's and the proxy's. */
import type { SmallDisk } from "../disks";
import type { EndState, Row } from "../row";
import { kill } from "../stage";
import type { Stage } from "../stage";

const HOW_FULL = "the server's folder is a tmpfs of 24 MiB, filled to its last byte";
const HOW_READ_ONLY =
  "the server's folder is mounted read-only over itself; unlike on a real disk, open files stay writable";

type Change = (disk: SmallDisk) => void;
type During = (stage: Stage, change: () => void) => void;

const atOnce: During = (_, change) => change();

/** While the director is stopped, so that it meets the fault in this phase. */
const underDirector: During = (stage, change) => {
  const director = stage.directorPid();
  if (director !== undefined) kill([director], "SIGSTOP");
  change();
  if (director !== undefined) kill([director], "SIGCONT");
};

/** What happens to a server's disk, before the release or in one of its phases, and how to repair it. */
function damage(
  server: string,
  harm: Change,
  mend: Change,
  during = atOnce,
): Pick<Row, "before" | "inject" | "repair"> {
  return {
    before: async (stage, phase) => {
      if (phase === "before") harm(stage.disk(server));
    },
    inject: async (stage, _, phase) => {
      if (phase !== "before") during(stage, () => harm(stage.disk(server)));
    },
    repair: async (stage) => mend(stage.disk(server)),
  };
}

const fill = (server: string, during?: During) =>
  damage(
    server,
    (disk) => disk.fill(),
    (disk) => disk.free(),
    during,
  );
const makeReadOnly = (server: string) =>
  damage(
    server,
    (disk) => disk.makeReadOnly(),
    (disk) => disk.makeWritable(),
  );

const UNCLEAR_ERROR =
  "the error was `run-command.sh: line 50: echo: write error`, because the step's output had no room: now it names the server's disk and the fix";
const HALF_A_LINE =
  "the director left half a line in events.jsonl, and the next line continued it: now it is removed; and the error was `run-command.sh: line 50: echo: write error`";
const WRONG_ERROR =
  "the error was that the step `was run before`, with exit code 3, because its folder could not be created: now it reports a disk that cannot be written, with exit code 1";

const stays = (goesOn: EndState["goesOn"], more: Partial<EndState>): EndState => ({
  exit: [1],
  serves: "old",
  message:
    /nothing can be written on (web-1|proxy-1) \(is its disk full, or read-only\?\)|ENOSPC: no space left/,
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
      before: stays(["retry"], { mended: UNCLEAR_ERROR }),
      shift: { exit: [0], serves: "new", goesOn: ["next release"] },
    },
    ...fill("web-1"),
  },
  {
    name: "full-disk-proxy",
    fault: "the disk of the proxy is full",
    how: HOW_FULL,
    needs: ["mounts"],
    world: "smallDisks",
    phases: {
      before: stays(["retry"], { mended: UNCLEAR_ERROR }),
      verify: stays(["retry"], { mended: UNCLEAR_ERROR }),
      shift: stays(["retry"], { serves: "verified", mended: HALF_A_LINE }),
      bake: stays(["abort", "next release"], { serves: "verified", mended: UNCLEAR_ERROR }),
    },
    ...fill("proxy-1", underDirector),
  },
  {
    name: "read-only-web",
    fault: "the folder of a web server is read-only",
    how: HOW_READ_ONLY,
    needs: ["mounts"],
    world: "smallDisks",
    phases: {
      before: stays(["retry"], { mended: WRONG_ERROR }),
      shift: { exit: [0], serves: "new", goesOn: ["next release"] },
    },
    ...makeReadOnly("web-1"),
  },
  {
    name: "read-only-proxy",
    fault: "the folder of the proxy is read-only",
    how: HOW_READ_ONLY,
    needs: ["mounts"],
    world: "smallDisks",
    phases: { before: stays(["retry"], { mended: WRONG_ERROR }) },
    ...makeReadOnly("proxy-1"),
  },
];
