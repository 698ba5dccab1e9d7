/**
 * Gives a client its bucket with an answer, unless a shared cache may store that answer: the rule of
 * configuration/cookies.ts in HAProxy's language. For a backend that serves while either slot may; elsewhere a bucket
 * is drawn only to time an answer.
 */
import {
  BUCKET_COOKIE,
  bucketAttributes,
  EXPIRES_AHEAD,
  NOT_MODIFIED,
  NOT_SHARED,
  SHARED,
} from "../../../../configuration/cookies";

/** They end the backend's rules for answers, so they come last. @param secure whether users use TLS. */
export function bucketCookieRules(secure: boolean): string {
  return `  acl only_for_user res.fhdr(cache-control) -m reg -i '${NOT_SHARED}'
  http-response allow if !{ var(txn.bucket) -m found }
  http-response allow if { status ${NOT_MODIFIED} }
  http-response allow if { res.fhdr(cache-control) -m reg -i '${SHARED}' } !only_for_user
  http-response allow if { res.fhdr(expires) -m reg '${EXPIRES_AHEAD}' } !only_for_user
  http-response add-header Cache-Control private if !only_for_user
  http-response add-header Set-Cookie "${BUCKET_COOKIE}=%[var(txn.bucket)]${bucketAttributes(secure)}"
`;
}
