/** Colours on a terminal only; not in a pipe, a file or a CI log. NO_COLOR is honoured. */
import pc from "picocolors";

const wanted = process.env["NO_COLOR"] === undefined;

export type Colours = ReturnType<typeof pc.createColors>;

/** For what goes to stdout. */
export const out = pc.createColors(wanted && process.stdout.isTTY === true);

/** For what goes to stderr. */
export const err = pc.createColors(wanted && process.stderr.isTTY === true);
