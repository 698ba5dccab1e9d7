/** Colours on a terminal only; not in a pipe, a file or a CI log. Respects NO_COLOR. */
import pc from "picocolors";

const wanted = process.env["NO_COLOR"] === undefined;

export type Colours = ReturnType<typeof pc.createColors>;

/** For stdout. */
export const out = pc.createColors(wanted && process.stdout.isTTY === true);

/** For stderr. */
export const err = pc.createColors(wanted && process.stderr.isTTY === true);
