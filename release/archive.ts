/** The archive formats of an artifact: `publish` accepts them, installers unpack them. */
const ARCHIVE_EXTENSIONS = [".zip", ".tar.gz"] as const;
export type ArchiveExtension = (typeof ARCHIVE_EXTENSIONS)[number];

/** Regular expression source that matches any of the extensions, with the dot. */
export const ANY_ARCHIVE_EXTENSION = `(?:${ARCHIVE_EXTENSIONS.map((each) => each.replaceAll(".", "\\.")).join("|")})`;
