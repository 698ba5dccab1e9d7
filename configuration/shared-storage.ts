/** `storage.shared`: folders inside the application that all servers, slots and releases share. */
import * as z from "zod/mini";
import { InvalidInput } from "../release/failure";
import { matches } from "../release/patterns";

/** As on the servers, where bash and PowerShell read it. */
const SHARED_PATH = /^[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*(\/[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*)*$/;

export const ApplicationStorage = z.strictObject({
  /**
   * Folders inside the application, such as uploads: one for all servers, both slots and every release. The first server
   * fills each with the files of its release. On Azure a file share, which base creates (docs/storage.md).
   */
  shared: z
    .array(
      matches(SHARED_PATH, `folder inside the application, as in "public/uploads"`).check(z.maxLength(100)),
    )
    .check(z.minLength(1), z.maxLength(20)),
});
export type ApplicationStorage = z.infer<typeof ApplicationStorage>;

/** @throws InvalidInput if a folder is in another one: a link leads from each to the share. On Windows case is ignored. */
export function refuseNestedFolders(field: string, folders: readonly string[]): void {
  const plain = folders.map((folder) => `${folder.toLowerCase()}/`);
  plain.forEach((inner, index) => {
    const outer = plain.findIndex((each, other) => other !== index && inner.startsWith(each));
    if (outer === -1) return;
    throw new InvalidInput(
      `${field}: "${folders[index]}" is in "${folders[outer]}": name the outer one only`,
    );
  });
}
