/** The command's synthetic requests while a sequence runs, which show in its receipt what users got. */
import * as z from "zod/mini";
import { HTTP_PATH, isOrigin, matches } from "../release/patterns";

export const Measurement = z.strictObject({
  /** The address for users. @default the first proxy on this machine; on Azure, `platform.domain` */
  origin: z.optional(
    z.string().check(
      z.maxLength(300),
      z.refine(isOrigin, {
        error: () => "must be scheme, host and port only, as in https://www.example.com",
      }),
    ),
  ),
  /** GETs per second; 0: nothing is measured. @default 10 */
  rate: z._default(z.number().check(z.minimum(0), z.maximum(1_000)), 10),
  /** Requested in turn. Paths other than the verification's must answer 200. @default the verification's */
  paths: z.optional(z.array(matches(HTTP_PATH, "HTTP path")).check(z.minLength(1), z.maxLength(50))),
});
