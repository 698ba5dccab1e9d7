/** The project of a user, for jest's suites. */
import { missing } from "../../development/testbed/world";

export * from "../../development/testbed/processes";
export * from "../../development/testbed/world";

/** Like `describe`, where terraform and the built command are there. */
export const describeEndToEnd: (title: string, tests: () => void) => void =
  missing() === undefined
    ? describe
    : (title, tests) => {
        console.warn(`skipped, ${missing()}: ${title}`);
        describe.skip(title, tests);
      };
