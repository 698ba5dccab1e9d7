#!/usr/bin/env bash
# Migrates the database for a release. A Terraform step between begin and the installs delivers it to the operations
# server (on the local platform: a folder). The migrator is too large for a step: it is downloaded and its digest checked.
# Parameters (environment): SERVER_FOLDER, MIGRATE_SPEC, MIGRATOR_URL, MIGRATOR_SHA256, and for an address in Azure's
# blob storage IDENTITY, the resource id of the identity that may read it. FETCH_STALL_SECONDS (60): without data;
# FETCH_RETRY_SECONDS (300): a new role assignment takes minutes.
set -Eeuo pipefail
umask 027

#include "../chosen-environment.sh"
#include "../uptime.sh"
keep_environment IMDS_ENDPOINT NODE_TLS_REJECT_UNAUTHORIZED NODE_EXTRA_CA_CERTS

: "${SERVER_FOLDER:?}" "${MIGRATE_SPEC:?}" "${MIGRATOR_URL:?}" "${MIGRATOR_SHA256:?}"
IMDS_ENDPOINT=${IMDS_ENDPOINT:-http://169.254.169.254}
migrator="$SERVER_FOLDER/migrate.js"
new="$migrator.new"
readonly MAX_BYTES=67108864
trap 'rm --force -- "$new"' EXIT

has_digest() { # has_digest FILE
  [[ -f "$1" ]] && sha256sum --check --status <<<"$MIGRATOR_SHA256  $1"
}

token() {
  curl -q --silent --show-error --fail --noproxy '*' --retry 5 --retry-all-errors --max-time 30 --get --header 'Metadata: true' \
    --data-urlencode 'api-version=2018-02-01' --data-urlencode 'resource=https://storage.azure.com/' \
    --data-urlencode "msi_res_id=$IDENTITY" "$IMDS_ENDPOINT/metadata/identity/oauth2/token" | head -c 65536 |
    node -e 'let text = ""; process.stdin.on("data", (part) => (text += part)).on("end", () => console.log(JSON.parse(text).access_token))'
}

# No file may grow above the limit, regardless of what a header claims.
limited() {
  trap '' XFSZ
  ulimit -f $((MAX_BYTES / 1024))
  exec "$@"
}

# curl reads the token from stdin, because arguments are public. No redirect is followed: it would get the token, too.
download() { # AUTHORIZATION
  (limited curl -q --silent --show-error --fail --proto '=https' --connect-timeout 10 --max-time 600 --max-filesize "$MAX_BYTES" \
    --speed-limit 1024 --speed-time "${FETCH_STALL_SECONDS:-60}" \
    --header 'x-ms-version: 2021-08-06' --header @- --output "$new" -- "$MIGRATOR_URL") <<<"$1"
}

fetch() {
  if [[ "$MIGRATOR_URL" != https://* ]]; then
    (limited cp -- "$MIGRATOR_URL" "$new")
    return
  fi
  local authorization code pause=1 end=$(($(uptime_seconds) + ${FETCH_RETRY_SECONDS:-300}))
  authorization="Authorization: Bearer $(token)" || return 1
  while true; do
    code=0
    download "$authorization" || code=$?
    # Larger than the limit, or a full disk: a retry has the same end.
    if ((code == 0 || code == 23 || code == 63 || $(uptime_seconds) + pause > end)); then return "$code"; fi
    sleep "$pause"
    pause=$((pause < 30 ? pause * 2 : 60))
  done
}

if ! has_digest "$migrator"; then
  fetched=0
  fetch || fetched=$?
  if ((fetched != 0)); then
    if ((fetched == 63)) || { [[ -e "$new" ]] && (($(stat -c %s -- "$new") >= MAX_BYTES)); }; then
      echo "migrate: the file at $MIGRATOR_URL is larger than $MAX_BYTES bytes, so it is no migrator; nothing was changed" >&2
    else
      echo "migrate: the migrator can't be fetched from $MIGRATOR_URL: publish it there first; nothing was changed" >&2
    fi
    exit 3
  fi
  if ! has_digest "$new"; then
    echo "migrate: the file at $MIGRATOR_URL does not have the digest $MIGRATOR_SHA256; nothing was changed" >&2
    exit 3
  fi
  mv -- "$new" "$migrator"
fi

# A signal to the step ends the migrator too, and the database rolls back what was not committed. No shell in between,
# which would not forward the signal.
node "$migrator" run --spec "$MIGRATE_SPEC" --folder "$SERVER_FOLDER" &
running=$!
trap 'kill -TERM "$running" 2>/dev/null || true' TERM INT HUP
# A signal ends `wait` early; bash keeps the exit code of an ended process.
wait "$running" || true
while kill -0 "$running" 2>/dev/null; do wait "$running" || true; done
exit_code=0
wait "$running" || exit_code=$?
if ((exit_code > 128)); then
  echo "migrate: the migrator was ended by signal $((exit_code - 128)); what was not committed is rolled back: \`bluegreen retry\` continues" >&2
fi
exit "$exit_code"
