#!/usr/bin/env bash
# Brings the database to what a release asks for. Delivered by a Terraform step between begin and the installs, to the
# operations server (on the local platform: a folder). The migrator itself is a file with a digest: too large for a step.
# Parameters (environment): SERVER_FOLDER, MIGRATE_SPEC, MIGRATOR_URL, MIGRATOR_SHA256, and where the address is Azure's
# blob storage IDENTITY, the resource id of the identity that may read it.
set -Eeuo pipefail
umask 027

: "${SERVER_FOLDER:?}" "${MIGRATE_SPEC:?}" "${MIGRATOR_URL:?}" "${MIGRATOR_SHA256:?}"
IMDS_ENDPOINT=${IMDS_ENDPOINT:-http://169.254.169.254}
migrator="$SERVER_FOLDER/migrate.js"
new="$migrator.new"

is_wanted() { # is_wanted FILE
  [[ -f "$1" ]] && sha256sum --check --status <<<"$MIGRATOR_SHA256  $1"
}

token() {
  curl --silent --show-error --fail --noproxy '*' --retry 5 --retry-all-errors --max-time 30 --get --header 'Metadata: true' \
    --data-urlencode 'api-version=2018-02-01' --data-urlencode 'resource=https://storage.azure.com/' \
    --data-urlencode "msi_res_id=$IDENTITY" "$IMDS_ENDPOINT/metadata/identity/oauth2/token" |
    node -e 'let text = ""; process.stdin.on("data", (part) => (text += part)).on("end", () => console.log(JSON.parse(text).access_token))'
}

fetch() {
  if [[ "$MIGRATOR_URL" != https://* ]]; then
    cp -- "$MIGRATOR_URL" "$new"
    return
  fi
  local authorization
  authorization="Authorization: Bearer $(token)"
  # The token reaches curl by its standard input: arguments are everybody's to read. A fresh role takes minutes.
  curl --silent --show-error --fail --location --proto '=https' --retry 8 --retry-all-errors --max-time 600 \
    --header 'x-ms-version: 2021-08-06' --header @- --output "$new" -- "$MIGRATOR_URL" <<<"$authorization"
}

if ! is_wanted "$migrator"; then
  if ! fetch; then
    echo "migrate: the migrator can't be fetched from $MIGRATOR_URL: publish it there first; nothing was changed" >&2
    exit 3
  fi
  if ! is_wanted "$new"; then
    rm --force -- "$new"
    echo "migrate: what is at $MIGRATOR_URL does not have the digest $MIGRATOR_SHA256; nothing was changed" >&2
    exit 3
  fi
  mv -- "$new" "$migrator"
fi

# A step that is stopped from outside ends the migrator too: the database takes back what was not committed. Started
# without a shell in between, which would take the signal for itself.
node "$migrator" run --spec "$MIGRATE_SPEC" --folder "$SERVER_FOLDER" &
running=$!
trap 'kill -TERM "$running" 2>/dev/null || true' TERM INT HUP
# A signal ends `wait` early; bash keeps the exit code of what has ended.
wait "$running" || true
while kill -0 "$running" 2>/dev/null; do wait "$running" || true; done
exit_code=0
wait "$running" || exit_code=$?
if ((exit_code > 128)); then
  echo "migrate: the migrator was ended by signal $((exit_code - 128)); what was not committed is rolled back: \`bluegreen retry\` goes on" >&2
fi
exit "$exit_code"
