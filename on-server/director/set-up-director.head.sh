#!/usr/bin/env bash
# Installs the director atomically on a custom proxy, and runs it once to write the proxy's configuration. Starts and
# reloads nothing. The build embeds the director in this script, so any tool that runs scripts on a machine can install
# it. Parameters (environment): SERVER_FOLDER, DIRECTOR_SPEC. Exit codes: 0 done; 2 bad input; 3 something is missing
# here.
set -Eeuo pipefail
umask 027

#include "../chosen-environment.sh"
drop_habits
export PATH="${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

: "${SERVER_FOLDER:?}" "${DIRECTOR_SPEC:?}"
missing() {
  echo "director: $1" >&2
  exit 3
}
for program in node flock gzip base64; do
  command -v "$program" >/dev/null || missing "$program is missing: install it on this machine first"
done
version=$(node --version)
version=${version#v}
((${version%%.*} >= 18)) || missing "node is $version: install 18 or newer first"
mkdir --parents -- "$SERVER_FOLDER"
cd -P -- "$SERVER_FOLDER"

put_director() {
  base64 --decode | gzip --decompress >.director.js.new
  mv --no-target-directory -- .director.js.new director.js
}
