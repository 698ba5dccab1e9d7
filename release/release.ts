/**
 * A release: one artifact, installed once. The same artifact installed again is another release, because its
 * `run` differs; so a release id never repeats, and neither does the name of a step that carries it.
 */
import * as z from "zod/mini";
import { Sha256 } from "./patterns";
import { quote } from "./text";

/** Letters, digits, dots and hyphens: what every place that a version reaches accepts (Azure names, folders, HTTP headers). */
export const VERSION_PATTERN = /^[0-9A-Za-z](?:[0-9A-Za-z.-]{0,38}[0-9A-Za-z])?$/;

/** As strict as install-release.sh: printable ASCII without blanks, quotes and a user; the rest has a %-escape. */
const ARTIFACT_URL =
  /^(https:\/\/[0-9A-Za-z.-]+|http:\/\/(127\.0\.0\.1|localhost|\[::1\])|file:\/\/(?=\/))(:[0-9]+)?([/?][\]!#-&(-;=?-Z[_a-z~]*)?$/;

export const Version = z.string().check(
  z.refine((version) => VERSION_PATTERN.test(version) && !version.includes(".."), {
    error: (issue) =>
      `${quote(issue.input)} is no version: 1 to 40 of the characters 0-9 A-Z a-z . - (a build's "+" is not possible in Azure names)`,
  }),
);

/** Where a server fetches the artifact, and what its bytes must hash to. */
export const Artifact = z.strictObject({
  url: z.string().check(
    z.refine(isArtifactUrl, {
      error: (issue) =>
        `${quote(withoutCredentials(issue.input))} is no artifact address: https://..., file:///..., or http:// on the loopback address`,
    }),
  ),
  sha256: Sha256,
});
export type Artifact = z.infer<typeof Artifact>;

/** A migration script's file name: no folders, nothing that SQL, a shell or a path would read as more than a name. */
export const ScriptName = z.string().check(z.regex(/^[0-9]{1,6}(?![0-9])[0-9A-Za-z._-]{0,100}\.sql$/));

/** The bundle of migrations that a release carries: a zip of SQL files, where it is fetched, and its last script. */
export const Migrations = z.strictObject({ ...Artifact.shape, newest: ScriptName });
export type Migrations = z.infer<typeof Migrations>;

/** @internal */
export const Release = z.strictObject({
  version: Version,
  /** The sequence number of the record that installed it. */
  run: z.int().check(z.minimum(1)),
  artifact: Artifact,
  /** What the database must have been brought to before it is installed. @default nothing */
  migrations: z.optional(Migrations),
  /**
   * The contract migrations in its bundle: whoever ships one says that it works without what the script takes away.
   * @default none
   */
  contracts: z.optional(z.array(ScriptName)),
});
/** One version with its artifact, and the migrations that it needs. */
export interface Release extends z.infer<typeof Release> {}

/** What somebody wants to release, before it has a run. */
export type Candidate = Pick<Release, "version" | "artifact" | "migrations" | "contracts">;

/** `1.4.0-17`: what servers, proxies, answers and receipts call a release. */
export type ReleaseId = string;

/** The id under which an instance answers that it runs this release. */
export function releaseId(release: Release): ReleaseId {
  return `${release.version}-${release.run}`;
}

/** A refused address may hold a password, and messages get into logs. */
function withoutCredentials(input: unknown): unknown {
  return typeof input === "string" ? input.replace(/\/\/[^/]*@/, "//***@") : input;
}

function isArtifactUrl(text: string): boolean {
  if (text.length > 2000 || !ARTIFACT_URL.test(text) || !URL.canParse(text)) return false;
  const { protocol, pathname } = new URL(text);
  return protocol !== "file:" || !/%(?![0-9a-f]{2})|%(00|2f)/i.test(pathname);
}

export interface KnownContracts {
  readonly contracts?: readonly string[] | undefined;
}

/** The first of these contract migrations that takes away what a release needs. */
export function missingFrom(
  { contracts = [] }: KnownContracts,
  scripts: readonly string[],
): string | undefined {
  return scripts.find((script) => !contracts.includes(script));
}
