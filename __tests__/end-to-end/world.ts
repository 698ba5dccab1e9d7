/** The project of a user, for jest's suites. */
import type { DriverName } from "../../configuration/drivers";
import type { ScheduleChoice } from "../../release/schedule";
import { missing } from "../../development/testbed/world";

export * from "../../development/testbed/processes";
export * from "../../development/testbed/world";

/** The environment of one server with both slots, behind one proxy. */
export function oneServer(driver: DriverName, schedule: ScheduleChoice) {
  return { servers: { count: 1 }, proxies: { driver, count: 1 }, schedule };
}

/** Like `describe`, where terraform and the built command are there. */
export const describeEndToEnd: (title: string, tests: () => void) => void =
  missing() === undefined
    ? describe
    : (title, tests) => {
        console.warn(`skipped, ${missing()}: ${title}`);
        describe.skip(title, tests);
      };
