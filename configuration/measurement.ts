/** What the command itself asks of the application while a sequence runs, so that its receipt says what users met. */
import * as z from "zod/mini";
import { HTTP_PATH, isOrigin, matches } from "../release/patterns";

export const Measurement = z.strictObject({
  /** Where users come in. @default the first proxy on this machine; on Azure, `platform.domain` */
  origin: z.optional(
    z.string().check(
      z.maxLength(300),
      z.refine(isOrigin, {
        error: () => "must be scheme, host and port only, as in https://www.example.com",
      }),
    ),
  ),
  /** GETs that are due each second; 0: nothing is measured. @default 10 */
  rate: z._default(z.number().check(z.minimum(0), z.maximum(1_000)), 10),
  /** Each is asked for as often as the others; other than the verification's, it must answer 200. @default the verification's */
  paths: z.optional(z.array(matches(HTTP_PATH, "HTTP path")).check(z.minLength(1), z.maxLength(50))),
});
