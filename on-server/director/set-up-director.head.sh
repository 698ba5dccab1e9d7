#!/usr/bin/env bash
# Puts the director onto a proxy that is somebody else's machine, whole or not at all, and has it write the proxy's
# configuration. Starts and reloads nothing. The build adds the director to this script: whatever can run a script on a
# machine can bring it there.
# Parameters (environment): SERVER_FOLDER, DIRECTOR_SPEC. Exit codes: 0 done; 2 bad input; 3 something is missing here.
set -Eeuo pipefail
umask 027
export PATH="${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

: "${SERVER_FOLDER:?}" "${DIRECTOR_SPEC:?}"
missing() {
  echo "director: $1" >&2
  exit 3
}
for program in node flock gzip base64; do
  command -v "$program" >/dev/null || missing "$program is not installed on this machine: install it first"
done
version=$(node --version)
version=${version#v}
((${version%%.*} >= 18)) || missing "node is $version but must be 18 or newer"
mkdir --parents -- "$SERVER_FOLDER"
cd -P -- "$SERVER_FOLDER"

put_director() {
  base64 --decode | gzip --decompress >.director.js.new
  mv --no-target-directory -- .director.js.new director.js
}
