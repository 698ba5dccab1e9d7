/** The archives that an artifact comes in: what `publish` takes and keeps, and what installers unpack. */
const ARCHIVE_EXTENSIONS = [".zip", ".tar.gz"] as const;
export type ArchiveExtension = (typeof ARCHIVE_EXTENSIONS)[number];

/** A regular expression's source that matches each of the extensions, dot included. */
export const ANY_ARCHIVE_EXTENSION = `(?:${ARCHIVE_EXTENSIONS.map((each) => each.replaceAll(".", "\\.")).join("|")})`;
