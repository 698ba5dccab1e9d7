/** The clock jumps: the steps' processes, including the director, see another time of day. */
import { writeFileSync } from "node:fs";
import { libfaketime } from "../abilities";
import type { EndState, Row } from "../row";
import type { Stage } from "../stage";

const HOUR = 3_600;
const HOW =
  "libfaketime in the command and all that it starts, without effect on Terraform (Go); the proxy, the instances and the monotonic clock are real";

const clockFile = (stage: Stage): string => stage.world.path("clock");

function jump(name: string, fault: string, seconds: number, phases: Row["phases"]): Row {
  return {
    name,
    fault,
    how: HOW,
    needs: ["faketime"],
    phases,
    release: (stage) => {
      writeFileSync(clockFile(stage), "+0");
      return Promise.resolve({
        env: {
          LD_PRELOAD: libfaketime(),
          FAKETIME_TIMESTAMP_FILE: clockFile(stage),
          FAKETIME_NO_CACHE: "1",
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
          DONT_FAKE_MONOTONIC: "1",
        },
      });
    },
    inject: (stage) => {
      writeFileSync(clockFile(stage), `${seconds > 0 ? "+" : ""}${seconds}`);
      return Promise.resolve();
    },
  };
}

const CUT_SHORT =
  "the bake ended at once with too few answers, and the release rolled back: a step uses the monotonic clock";
const AN_HOUR_LONGER =
  "the bake would have taken an hour more (the run stopped it after half a minute): a step uses the monotonic clock";
const unmoved: EndState = { exit: [0], serves: "new", goesOn: ["next release"] };

export const CLOCKS: readonly Row[] = [
  jump("clock-forward", "the clock jumps an hour ahead", HOUR, {
    begin: unmoved,
    shift: unmoved,
    bake: { ...unmoved, mended: CUT_SHORT },
  }),
  jump("clock-back", "the clock jumps an hour back", -HOUR, {
    begin: unmoved,
    shift: unmoved,
    bake: { ...unmoved, mended: AN_HOUR_LONGER },
  }),
];
