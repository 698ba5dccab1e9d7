/**
 * A release: one artifact, installed once. The same artifact installed again is another release with another `run`, so
 * release ids and the names of steps that contain them never repeat.
 */
import * as z from "zod/mini";
import { Sha256 } from "./patterns";
import { quote } from "./text";

/** Letters, digits, dots and hyphens: valid in Azure names, folders and HTTP headers. */
export const VERSION_PATTERN = /^[0-9A-Za-z](?:[0-9A-Za-z.-]{0,38}[0-9A-Za-z])?$/;

/** As strict as install-release.sh: printable ASCII without spaces, quotes and a user; anything else must be %-escaped. */
const ARTIFACT_URL =
  /^(https:\/\/[0-9A-Za-z.-]+|http:\/\/(127\.0\.0\.1|localhost|\[::1\])|file:\/\/(?=\/))(:[0-9]+)?([/?][\]!#-&(-;=?-Z[_a-z~]*)?$/;

export const Version = z.string().check(
  z.refine((version) => VERSION_PATTERN.test(version) && !version.includes(".."), {
    error: (issue) =>
      `${quote(issue.input)} is not a valid version: 1 to 40 of the characters 0-9 A-Z a-z . - (Azure names can't contain the "+" of a build)`,
  }),
);

/** Where a server downloads the artifact, and its SHA-256. */
export const Artifact = z.strictObject({
  url: z.string().check(
    z.refine(isArtifactUrl, {
      error: (issue) =>
        `${quote(withoutCredentials(issue.input))} is not an artifact address: https://..., file:///..., or http:// on the loopback address`,
    }),
  ),
  sha256: Sha256,
});
export type Artifact = z.infer<typeof Artifact>;

/** A migration script's file name: no folders, and nothing special to SQL, a shell or a path. */
export const ScriptName = z.string().check(z.regex(/^[0-9]{1,6}(?![0-9])[0-9A-Za-z._-]{0,100}\.sql$/));

/** The bundle of migrations of a release: a zip of SQL files, its address, and its last script. */
export const Migrations = z.strictObject({ ...Artifact.shape, newest: ScriptName });
export type Migrations = z.infer<typeof Migrations>;

/** @internal */
export const Release = z.strictObject({
  version: Version,
  /** The sequence number of the record that installed it. */
  run: z.int().check(z.minimum(1)),
  artifact: Artifact,
  /** The migrations that the database must have before the release is installed. @default none */
  migrations: z.optional(Migrations),
  /**
   * The contract migrations in its bundle. By listing one, the release declares that it works without what the script removes.
   * @default none
   */
  contracts: z.optional(z.array(ScriptName)),
});
/** One version with its artifact, and the migrations that it needs. */
export interface Release extends z.infer<typeof Release> {}

/** What to release, before it has a run. */
export type Candidate = Pick<Release, "version" | "artifact" | "migrations" | "contracts">;

/** `1.4.0-17`: identifies a release on servers, on proxies, in answers and in receipts. */
export type ReleaseId = string;

/** The id with which an instance of this release answers. */
export function releaseId(release: Release): ReleaseId {
  return `${release.version}-${release.run}`;
}

/** A refused address may contain a password, and messages end up in logs. */
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

/** The first of these contract migrations that removes what the release needs. */
export function missingFrom(
  { contracts = [] }: KnownContracts,
  scripts: readonly string[],
): string | undefined {
  return scripts.find((script) => !contracts.includes(script));
}
