/**
 * Before a candidate gets any weight: the pages that users ask most are asked of stable and of the candidate, and must
 * agree. A release whose pages are all 404, or redirect to the login, or are empty, is healthy by its own word; this is
 * what shows it before users do.
 *
 * An application may fail by chance, be slow at times, or answer differently each time. So a page counts as different only
 * if no answer of an endpoint of the candidate agreed with any of stable's in ROUNDS rounds, each of which asks both.
 * - Releases that fail alike, each answer with the chance p: all answers of the candidate must fail, p^ROUNDS. With p = 2 %,
 *   20 pages and 100 endpoints that is 2000 * 0.02^10 = 2e-14; and 2000 * 0.02^4 = 3e-4 where the time is over after
 *   FEWEST_ROUNDS. With p = 30 %, 20 pages and two endpoints: 40 * 0.3^10 = 2e-4.
 * - A page with two looks by chance, q and 1 - q: all of stable's must have one and all of the candidate's the other,
 *   2 * (q * (1 - q))^ROUNDS <= 2 * 4^-10, for 20 pages and two endpoints 8e-5.
 * Both are below the 0.1 % that equal releases may be rejected with. Equal pages are asked once.
 */
import { normalPath } from "../../configuration/private-paths";
import { sharesConnections } from "../../configuration/drivers";
import type { Endpoint } from "../../configuration/naming";
import type { PlacedRelease } from "../../release/director-status";
import { analysisSettings } from "../../release/schedule";
import { isWayBack } from "../../release/way-back";
import type { Slot } from "../../release/slot";
import { describeEndpoint } from "./director";
import type { Director } from "./director";
import { MOST_PAGES } from "./drivers/driver";
import { notPages, pageOf } from "./drivers/popular-pages";
import { agree, describeLook, isFailure } from "./look";
import type { Look } from "./look";
import { PASSED } from "./verify";
import type { FurtherCheck } from "./verify";

const ROUNDS = 10;
/** What suffices if `deadlineSeconds` are over, because answers are slow. */
const FEWEST_ROUNDS = 4;
/** If a change is expected, it is only reported: fewer rounds suffice. */
const ROUNDS_TO_REPORT = 3;
/** Stable fails on a page if it fails in so many rounds at first, and it is not compared. */
const STABLE_ROUNDS = 3;
/** Pages that are asked at the same time, each once of stable and once of every endpoint of the candidate. */
const AT_ONCE = 4;
const POLL_MS = 100;
const LONGEST_SHOWN = 60;

interface PageDifference {
  readonly path: string;
  readonly stable: string;
  readonly candidate: string;
  /** The endpoint of the candidate, if others agree with stable. */
  readonly only: string | null;
}

interface PageComparison {
  /** How many pages agreed. */
  readonly agreed: number;
  readonly different: readonly PageDifference[];
  /** Why pages were not compared, by path. */
  readonly skipped: Readonly<Record<string, string>>;
  /** A page of the candidate that asks for the authentication of a connection; null if none does. */
  readonly authenticates: string | null;
}

/** What was seen of one page. Answers are the oldest first. */
export interface PageAnswers {
  readonly rounds: number;
  readonly stable: readonly Look[];
  /** Of each endpoint of the candidate. */
  readonly candidate: readonly (readonly Look[])[];
}

type Found = Awaited<ReturnType<FurtherCheck>>;
const NOTHING_FOUND: Found = { verdict: PASSED, facts: {} };

export type PageVerdict = "same" | "different" | "open" | { readonly skipped: string };

/**
 * The first proxy asks for all: instances answer the others alike, and users already have the candidate there.
 * @throws Interrupted
 */
export async function answersLikeStable(director: Director, candidate: PlacedRelease): Promise<Found> {
  const { spec } = director;
  const { stable } = director.state;
  const { expectChange } = analysisSettings(spec.schedule.analysis);
  // A `retry --expect-change` has it reported already.
  if (spec.proxy.index > 0 || isWayBack(spec)) return NOTHING_FOUND;
  if (sharesConnections(spec.proxy) && (await signsIn(director, candidate.slot)))
    return needsOtherDriver("/");
  if (stable === null) return NOTHING_FOUND;
  const { agreed, different, authenticates } = await comparePages(director, candidate.slot, stable.slot);
  if (sharesConnections(spec.proxy) && authenticates !== null) return needsOtherDriver(authenticates);
  const changed = describeDifferences(different);
  if (changed.length === 0 || expectChange) {
    return { verdict: PASSED, facts: { pages: agreed, ...(changed.length > 0 && { changed }) } };
  }
  const pages = different.length === 1 ? "a page" : `${different.length} pages`;
  const reason = `${pages} that users ask for answered otherwise than in ${stable.releaseId} (${changed.join("; ")}); if it should, retry it with --expect-change`;
  return { verdict: { passed: false, reason }, facts: {} };
}

/** Whether an endpoint's first page asks for the authentication of its connection. */
async function signsIn(director: Director, slot: Slot): Promise<boolean> {
  const { timeoutSeconds } = director.spec.verification;
  const looks = await Promise.all(
    director.endpointsIn(slot).map((endpoint) => director.look(endpoint, "/", timeoutSeconds)),
  );
  return looks.some((each) => each.authenticatesConnection === true);
}

/** @param path that asks for the authentication of a connection */
function needsOtherDriver(path: string): Found {
  const reason = `${path} asks for Windows authentication (NTLM or Negotiate), which authenticates connections, and NGINX shares them between users: set proxies.driver "haproxy"`;
  return { verdict: { passed: false, reason }, facts: {} };
}

async function comparePages(director: Director, slot: Slot, stable: Slot): Promise<PageComparison> {
  const { clock, spec } = director;
  const { deadlineSeconds, intervalSeconds } = spec.verification;
  const { expectChange } = analysisSettings(spec.schedule.analysis);
  const enough = expectChange ? ROUNDS_TO_REPORT : ROUNDS;
  const deadline = clock.now() + deadlineSeconds * 1000;
  const references = await inService(director, stable);
  const pages = (await pagesToAsk(director)).map(
    (path) => new Page(path, director.endpointsIn(slot), references),
  );

  const undecided = () => pages.filter((page) => page.verdict(enough) === "open");
  for (let open = undecided(); open.length > 0 && clock.now() < deadline; open = undecided()) {
    director.interruption.check();
    const now = clock.now();
    // The popular ones first: if answers are slow, those are decided in time.
    const due = open.filter((page) => page.dueAt <= now).slice(0, AT_ONCE);
    if (due.length === 0) {
      await clock.sleep(Math.min(POLL_MS, ...open.map((page) => page.dueAt - now)));
      continue;
    }
    for (const page of due) page.dueAt = now + intervalSeconds * 1000;
    const limit = Math.min(spec.verification.timeoutSeconds, Math.max(1, (deadline - now) / 1000));
    await Promise.all(due.map((page) => page.ask(director, limit)));
  }
  const found = concluded(pages, Math.min(enough, FEWEST_ROUNDS));
  director.logEvent("pages", { slot, ...found, ...(expectChange && { expected: true }) });
  return found;
}

/** @returns `/` if nothing is known. */
async function pagesToAsk({ driver, spec }: Director): Promise<string[]> {
  const popular = (await driver.popularPages?.()) ?? [];
  // Whatever a custom driver reports.
  const leftOut = notPages(spec);
  const pages = popular.filter((path) => pageOf(path) === path && !leftOut.includes(normalPath(path)));
  return pages.length === 0 ? ["/"] : [...new Set(pages)].slice(0, MOST_PAGES);
}

/** Stable's endpoints that users get answers from. */
async function inService({ driver, spec }: Director, slot: Slot): Promise<Endpoint[]> {
  const serving = (await driver.counts())[slot].endpoints.filter((each) => each.healthy && each.inRotation);
  return spec.endpoints[slot].filter(({ server }) => serving.some((each) => each.server === server));
}

class Page implements PageAnswers {
  rounds = 0;
  dueAt = 0;
  readonly stable: Look[] = [];
  readonly candidate: Look[][];

  constructor(
    readonly path: string,
    private readonly endpoints: readonly Endpoint[],
    private readonly references: readonly Endpoint[],
  ) {
    this.candidate = endpoints.map(() => []);
  }

  async ask({ look }: Director, timeoutSeconds: number): Promise<void> {
    const reference = this.references[this.rounds % this.references.length];
    const asked = this.endpoints.map(async (endpoint, index) => {
      if (hasAgreed(this, index)) return;
      this.candidate[index]!.push(await look(endpoint, this.path, timeoutSeconds));
    });
    if (reference !== undefined) this.stable.push(await look(reference, this.path, timeoutSeconds));
    await Promise.all(asked);
    this.rounds += 1;
  }

  get authenticatesConnection(): boolean {
    return this.candidate.flat().some((look) => look.authenticatesConnection === true);
  }

  verdict(enough: number): PageVerdict {
    if (this.references.length === 0) return { skipped: "no endpoint of stable is healthy" };
    return judgePage(this, enough);
  }

  difference(): PageDifference {
    const differing = this.endpoints.filter((_, index) => !hasAgreed(this, index));
    const [first] = differing;
    const index = this.endpoints.indexOf(first!);
    return {
      path: this.path,
      stable: mostOften(this.stable.filter((each) => !isFailure(each))),
      candidate: mostOften(this.candidate[index]!),
      only: differing.length < this.endpoints.length ? describeEndpoint(first!) : null,
    };
  }
}

/** @param enough after so many rounds a disagreement counts. */
export function judgePage(page: PageAnswers, enough: number): PageVerdict {
  const { rounds, stable, candidate } = page;
  const answers = stable.filter((look) => !isFailure(look));
  const [first] = answers;
  const refused = answers.find(({ status }) => status! >= 400);
  if (refused !== undefined) return { skipped: `stable answers ${refused.status}` };
  if (first !== undefined && !answers.every((look) => agree(look, first)))
    return { skipped: "stable answers differently each time" };
  if (rounds > 0 && candidate.every((_, index) => hasAgreed(page, index))) return "same";
  if (first === undefined && rounds >= STABLE_ROUNDS) return { skipped: "stable fails" };
  if (rounds < enough) return "open";
  if (answers.length * 2 > rounds) return "different";
  // It may fail by chance in most of a few rounds.
  return rounds < ROUNDS ? "open" : { skipped: "stable fails too often" };
}

function hasAgreed({ stable, candidate }: PageAnswers, index: number): boolean {
  return candidate[index]!.some((look) => stable.some((other) => agree(look, other)));
}

function concluded(pages: readonly Page[], fewest: number): PageComparison {
  const verdicts = pages.map((page) => [page, page.verdict(fewest)] as const);
  return {
    authenticates: pages.find((page) => page.authenticatesConnection)?.path ?? null,
    agreed: verdicts.filter(([, verdict]) => verdict === "same").length,
    different: verdicts.flatMap(([page, verdict]) => (verdict === "different" ? [page.difference()] : [])),
    skipped: Object.fromEntries(
      verdicts.flatMap(([{ path }, verdict]) => {
        if (verdict === "open") return [[path, "there was no time"]];
        return typeof verdict === "string" ? [] : [[path, verdict.skipped]];
      }),
    ),
  };
}

function mostOften(looks: readonly Look[]): string {
  const texts = looks.map(describeLook);
  const times = (text: string) => texts.filter((each) => each === text).length;
  return texts.reduce((best, text) => (times(text) > times(best) ? text : best), texts[0] ?? "nothing");
}

/** One line an answer, as in `404, not 200 text/html: / /login`. The most asked pages come first. */
function describeDifferences(different: readonly PageDifference[]): string[] {
  const paths = new Map<string, string[]>();
  for (const { path, stable, candidate, only } of different) {
    const what = `${candidate}, not ${stable}${only === null ? "" : `, on ${only}`}`;
    const shown = path.length > LONGEST_SHOWN ? `${path.slice(0, LONGEST_SHOWN)}...` : path;
    paths.set(what, [...(paths.get(what) ?? []), shown]);
  }
  return [...paths].map(([what, all]) => `${what}: ${all.join(" ")}`);
}
