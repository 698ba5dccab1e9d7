/**
 * Preview of a release before it gets traffic, for users with a secret. Servers and files only contain its digest.
 */
import * as z from "zod/mini";

/** The secret is the value of this header, or of the cookie in `cookies.ts`. The application sees neither. */
export const PREVIEW_HEADER = "x-bluegreen-preview";

const hexadecimal = (digits: number) =>
  z.string().check(
    z.refine((text) => new RegExp(`^[0-9a-f]{${digits}}$`).test(text), {
      error: () => `must be ${digits} lower-case hexadecimal digits`,
    }),
  );

export const Preview = z.strictObject({
  /** SHA-256 of the secret, which should be 128 random bits or more. */
  sha256: hexadecimal(64),
  /** MD5 of the same secret, for NGINX only. */
  md5: z.optional(hexadecimal(32)),
});
export type Preview = z.infer<typeof Preview>;
