/** Reads a request's cookies. */
"use strict";

/** The value of the first cookie of this name, or undefined. */
function cookieOf(request, name) {
  const pairs = (request.headers.cookie ?? "").split(/; */);
  return pairs.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** TLS ends at the proxy, which sets the header. */
function isSecure(request) {
  return request.headers["x-forwarded-proto"] === "https";
}

module.exports = { cookieOf, isSecure };
