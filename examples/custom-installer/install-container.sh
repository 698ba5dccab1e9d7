#!/usr/bin/env bash
# A custom installer: a release is a container image, a slot is a container. The record's artifact is the image: `url` is
# its name (https://registry.example.com/shop), `sha256` its digest, so the server runs exactly the recorded image.
#
# Parameters (environment): those of every installer (docs/library.md), and RUNTIME (docker). Exit codes: 0 done; 1
# unexpected; 3 refused (an older record); 4 candidate rejected, the slot is unchanged.
set -Eeuo pipefail
umask 027

fail() { # CODE MESSAGE
  echo "install: $2" >&2
  exit "$1"
}

RUNTIME=${RUNTIME:-docker}
container=$APPLICATION-$SLOT
before=$container-before

# The fence: refuses an older record, and another record with the same sequence.
sequence_file=$SERVER_FOLDER/installed-sequence
mkdir -p -- "$SERVER_FOLDER"
exec 9>>"$SERVER_FOLDER/install.lock"
flock --wait 60 9 || fail 3 "another install is running here: wait for it"
read -r known digest <<<"$(cat -- "$sequence_file" 2>/dev/null || echo 0 none)"
((SEQUENCE >= known)) || fail 3 "record $SEQUENCE is older than $known, the last one on this server"
((SEQUENCE > known)) || [[ $digest == "$RECORD_DIGEST" ]] || fail 3 "record $SEQUENCE has other content than on this server"
echo "$SEQUENCE $RECORD_DIGEST" >"$sequence_file.new"
mv -f -- "$sequence_file.new" "$sequence_file"

# The last line on stdout: a step without it fails.
result() { printf '{"step":"install","slot":"%s","releaseId":"%s","outcome":"%s"}\n' "$SLOT" "$RELEASE_ID" "$1"; }

exists() { "$RUNTIME" container inspect "$1" >/dev/null 2>&1; }
remove() { if exists "$1"; then "$RUNTIME" rm --force "$1" >/dev/null; fi; }
stop() { if exists "$1"; then "$RUNTIME" stop --time "$STOP_SECONDS" "$1" >/dev/null; fi; }

# On any failure from here on, restores the slot.
undo() {
  trap - EXIT
  remove "$container"
  if exists "$before"; then
    "$RUNTIME" rename "$before" "$container"
    "$RUNTIME" start "$container" >/dev/null
  fi
}

healthy() {
  local answer
  answer=$(curl --silent --noproxy '*' --max-time "$HEALTH_TIMEOUT_SECONDS" --dump-header - --output /dev/null \
    ${HEALTH_PROTOCOL:+--http2-prior-knowledge} ${HEALTH_HOST:+--header "Host: $HEALTH_HOST"} "http://$HOST:$PORT$HEALTH_PATH") || return 1
  [[ $answer =~ ^HTTP/[0-9.]+\ $HEALTH_STATUS ]] || return 1
  [[ -z $RELEASE_HEADER ]] || grep --quiet --ignore-case --fixed-strings "$RELEASE_HEADER: $RELEASE_ID" <<<"$answer"
}

if [[ -z $RELEASE_ID ]]; then
  stop "$container"
  remove "$container"
  result emptied
  exit 0
fi

url=$(base64 --decode <<<"$ARTIFACT_URL_BASE64")
image=${url#https://}@sha256:$ARTIFACT_SHA256
"$RUNTIME" pull --quiet "$image" >/dev/null || fail 4 "the image $image can't be pulled; $SLOT is unchanged"

remove "$before"
stop "$container"
if exists "$container"; then "$RUNTIME" rename "$container" "$before"; fi
trap 'undo' EXIT
"$RUNTIME" run --detach --restart unless-stopped --name "$container" --publish "$HOST:$PORT:$PORT" \
  --env "HOST=0.0.0.0" --env "PORT=$PORT" --env "RELEASE_ID=$RELEASE_ID" "$image" >/dev/null ||
  fail 4 "$RELEASE_ID does not start; $SLOT is unchanged"

successes=0
end=$((SECONDS + DEADLINE_SECONDS))
while ((successes < HEALTH_SUCCESSES)); do
  if healthy; then successes=$((successes + 1)); else successes=0; fi
  ((SECONDS < end)) || fail 4 "$RELEASE_ID was not healthy within $DEADLINE_SECONDS s; $SLOT is unchanged"
  sleep "$HEALTH_INTERVAL_SECONDS"
done
trap - EXIT
remove "$before"
result installed
