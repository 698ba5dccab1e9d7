/** The clock jumps: the steps' processes (the director among them) see another time of day from one moment to the next. */
import { writeFileSync } from "node:fs";
import { libfaketime } from "../abilities";
import type { EndState, Row } from "../row";
import type { Stage } from "../stage";

const HOUR = 3_600;
const HOW =
  "libfaketime in the command and all that it starts (Terraform, written in Go, does not notice it); the proxy, the instances and the clock that only counts on are real";

const clockFile = (stage: Stage): string => stage.world.path("clock");

function jump(name: string, words: string, seconds: number, phases: Row["phases"]): Row {
  return {
    name,
    fault: words,
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
  "the bake was over at once, with too few answers to judge, and the release was taken back: a step counts on the clock that only counts on";
const AN_HOUR_LONGER =
  "the bake did not end (it was given up after half a minute; it would have taken an hour more): a step counts on the clock that only counts on";
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
