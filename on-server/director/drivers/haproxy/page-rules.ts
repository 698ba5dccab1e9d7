/**
 * Counts the pages that users ask for most while a release is watched, for `Driver.popularPages`. A slot's table keeps the
 * paths that were asked for last. At rest requests do not reach these rules, as those of `client-rules.ts`.
 */
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { normalPath } from "../../../../configuration/private-paths";
import type { PerSlot, Slot } from "../../../../release/slot";
import { LONGEST_PAGE, MOST_PAGES } from "../driver";
import { notPages, pageOf } from "../popular-pages";

export const PAGES: PerSlot<string> = { blue: "pages-blue", green: "pages-green" };
/** So many paths have a count. */
const MOST_COUNTED = 500;
const PAGE = "txn.page";

export function pagesTable(slot: Slot): string {
  return `backend ${PAGES[slot]}
  stick-table type string len ${LONGEST_PAGE} size ${MOST_COUNTED} expire 1h store http_req_cnt
`;
}

/** For the frontend. @param condition whether a request is counted */
export function rememberPage(condition: string): string {
  return `  http-request set-var(${PAGE}) path if ${condition} { method GET } { path_len le ${LONGEST_PAGE} }\n`;
}

/** For a backend that serves users. */
export function countPages(slot: Slot): string {
  return `  http-response track-sc0 var(${PAGE}) table ${PAGES[slot]} if { var(${PAGE}) -m found } { status 200:399 }\n`;
}

/** @param shown HAProxy's answer to `show table`, with lines as `0x55...: key=/a\=b use=0 exp=9 http_req_cnt=3` */
export function popularPages(
  shown: string,
  spec: Pick<DirectorSpec, "activation" | "verification">,
): readonly string[] {
  const leftOut = notPages(spec);
  return [...shown.matchAll(/^0x[^:]+: key=((?:[^\\ ]|\\.)*) .*\bhttp_req_cnt=(\d+)/gm)]
    .map(([, key = "", count]) => ({ path: unescaped(key), count: Number(count) }))
    .filter(({ path }) => pageOf(path) === path && !leftOut.includes(normalPath(path)))
    .sort((one, other) => other.count - one.count || (one.path < other.path ? -1 : 1))
    .slice(0, MOST_PAGES)
    .map(({ path }) => path);
}

/** HAProxy escapes what has a meaning in its answer, and what is not printable, which is no part of a path. */
function unescaped(key: string): string {
  return key.replaceAll(/\\(.)/g, (_, character: string) =>
    ["\\", "=", " "].includes(character) ? character : "\0",
  );
}
