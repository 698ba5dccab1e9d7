/** Makes a secret for previews, and what the environment file shall say of it. */
import { createHash, randomBytes } from "node:crypto";
import { PREVIEW_COOKIE, PREVIEW_HEADER } from "../../configuration/preview";
import type { Preview } from "../../configuration/preview";

export interface NewPreview {
  /** Shown once, kept nowhere. */
  readonly secret: string;
  /** For the environment file: it says nothing about the secret. */
  readonly preview: Preview;
}

export function newPreview(): NewPreview {
  const secret = randomBytes(24).toString("base64url");
  const digest = (algorithm: string) => createHash(algorithm).update(secret).digest("hex");
  return { secret, preview: { sha256: digest("sha256"), md5: digest("md5") } };
}

export function formatPreview({ secret, preview }: NewPreview): string {
  return `secret: ${secret}   (shown once, kept nowhere)

Put this into the environment file, then deploy base (npx cdktf deploy base):

  "preview": ${JSON.stringify(preview)}

Whoever sends the secret sees the release that waits, before anybody else does:

  curl --header '${PREVIEW_HEADER}: ${secret}' http://...
  or the cookie ${PREVIEW_COOKIE}=${secret}`;
}
