/**
 * The paths that users ask for most, for drivers that see each answer (`Driver.popularPages`). Memory is bounded: counts are
 * halved from time to time, and a path that has no count left is forgotten, so only pages that are asked often stay. Pure.
 */
import { normalPath, privatePaths } from "../../../configuration/private-paths";
import type { Activation } from "../../../configuration/http-exchange";
import { isOfBuild } from "../page-paths";
import { LONGEST_PAGE, MOST_PAGES } from "./driver";

/** Paths that have a count. */
const REMEMBERED = 1_000;
/** After so many answers, earlier ones count half. */
const HALVED_AFTER = 20_000;

/** What users ask of a proxy, not of a page, and what only directors may ask. */
export function notPages(settings: {
  readonly verification: { readonly path: string };
  readonly activation?: Activation | null | undefined;
}): string[] {
  return [normalPath(settings.verification.path), ...privatePaths(settings)];
}

/**
 * A request's target without its query; null if it is too long, has characters that no browser sends, or is a file of a
 * build, which the next release need not have.
 */
export function pageOf(target: string): string | null {
  const [path = ""] = target.split("?", 1);
  // A path that starts with two slashes looks like another host's address.
  const isPath = path.length <= LONGEST_PAGE && /^\/(?!\/)[!$-[\]-~]*$/.test(path);
  return isPath && !isOfBuild(path) ? path : null;
}

export class PopularPages {
  private counts = new Map<string, number>();
  private untilHalved = HALVED_AFTER;
  private readonly leftOut: ReadonlySet<string>;

  /** @param leftOut paths in the form of `normalPath` (see {@link notPages}). */
  constructor(leftOut: readonly string[]) {
    this.leftOut = new Set(leftOut);
  }

  /** Counts an answer below 400 to a GET. Another target than a page's is left out. */
  add(target: string): void {
    const page = pageOf(target);
    if (page === null) return;
    if ((this.untilHalved -= 1) === 0) this.halve();
    const count = this.counts.get(page);
    if (count === undefined) {
      if (this.leftOut.has(normalPath(page))) return;
      if (this.counts.size >= REMEMBERED) this.halve();
      if (this.counts.size >= REMEMBERED) return;
    }
    this.counts.set(page, (count ?? 0) + 1);
  }

  /** Most asked first. */
  most(): string[] {
    return [...this.counts]
      .sort(([one, some], [other, more]) => more - some || (one < other ? -1 : 1))
      .slice(0, MOST_PAGES)
      .map(([page]) => page);
  }

  private halve(): void {
    this.untilHalved = HALVED_AFTER;
    const halves = [...this.counts].map(([page, count]) => [page, Math.floor(count / 2)] as const);
    this.counts = new Map(halves.filter(([, count]) => count > 0));
  }
}
