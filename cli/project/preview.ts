/** Creates a secret for previews, and its entry in the environment file. */
import { cdktfCommand } from "./cdktf-command";
import { createHash, randomBytes } from "node:crypto";
import { PREVIEW_COOKIE } from "../../configuration/cookies";
import { PREVIEW_HEADER } from "../../configuration/preview";
import type { Preview } from "../../configuration/preview";

export interface NewPreview {
  /** Shown once, stored nowhere. */
  readonly secret: string;
  /** For the environment file: digests, which don't reveal the secret. */
  readonly preview: Preview;
}

export function newPreview(): NewPreview {
  const secret = randomBytes(24).toString("base64url");
  const digest = (algorithm: string) => createHash(algorithm).update(secret).digest("hex");
  return { secret, preview: { sha256: digest("sha256"), md5: digest("md5") } };
}

export function formatPreview({ secret, preview }: NewPreview): string {
  return `secret: ${secret}   (shown once, stored nowhere)

Add this to the environment file, then deploy base (${cdktfCommand("deploy base")}):

  "preview": ${JSON.stringify(preview)}

Requests with the secret get the waiting release, before users do:

  curl --header '${PREVIEW_HEADER}: ${secret}' http://...
  or the cookie ${PREVIEW_COOKIE}=${secret}`;
}
