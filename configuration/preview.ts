/**
 * Who may see a release before it gets traffic: whoever knows a secret, of which servers and files only know the digest.
 */
import * as z from "zod/mini";

/** The secret is this header's value, or this cookie's. Proxies take the header away before the application sees it. */
export const PREVIEW_HEADER = "x-bluegreen-preview";
export const PREVIEW_COOKIE = "bluegreen-preview";

const hexadecimal = (digits: number) =>
  z.string().check(
    z.refine((text) => new RegExp(`^[0-9a-f]{${digits}}$`).test(text), {
      error: () => `must be ${digits} lower-case hexadecimal digits`,
    }),
  );

export const Preview = z.strictObject({
  /** SHA-256 of the secret, which should be 128 random bits or more. */
  sha256: hexadecimal(64),
  /** MD5 of the same secret; only NGINX needs it. */
  md5: z.optional(hexadecimal(32)),
});
export type Preview = z.infer<typeof Preview>;
