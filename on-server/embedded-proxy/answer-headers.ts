/** How the proxy changes the headers of an instance's answer: connections are its business, and so are its cookies. */
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  BUCKET_COOKIE,
  bucketAttributes,
  isShareable,
  privateCacheControl,
} from "../../configuration/cookies";

/**
 * Changes the answer's headers in place, before the proxy library copies them.
 * @param serverCookie with affinity, for a client that has no token of this server
 */
export function prepareAnswer(
  answer: IncomingMessage,
  { drawnBucket, isPreview }: { readonly drawnBucket: number | null; readonly isPreview: boolean },
  serverCookie: string | null,
): void {
  const { headers, statusCode: status = 0 } = answer;
  // They describe the connection to the instance, not the user's.
  delete headers.connection;
  delete headers["keep-alive"];
  if (isPreview) headers["cache-control"] = "no-store";
  const cookies = [
    ...(drawnBucket === null ? [] : [`${BUCKET_COOKIE}=${drawnBucket}${bucketAttributes(false)}`]),
    ...(serverCookie === null ? [] : [serverCookie]),
  ];
  if (cookies.length === 0) return;
  const cacheControl = headers["cache-control"];
  if (isShareable({ status, cacheControl, expires: headers.expires })) return;
  headers["set-cookie"] = [...(headers["set-cookie"] ?? []), ...cookies];
  headers["cache-control"] = privateCacheControl(cacheControl);
}

/** Trailers reach a user whose answer is chunked. */
export function passTrailers(answer: IncomingMessage, response: ServerResponse): void {
  answer.once("end", () => {
    const pairs = answer.rawTrailers;
    if (pairs.length === 0) return;
    response.addTrailers(
      pairs.flatMap((name, index) => (index % 2 === 0 ? [[name, pairs[index + 1]!] as const] : [])) as [
        string,
        string,
      ][],
    );
  });
}
