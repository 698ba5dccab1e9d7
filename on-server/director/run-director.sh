#!/usr/bin/env bash
# Runs one step of the director on this proxy. Delivered by a Terraform step; the director itself was installed by
# the base stack. Parameters (environment): SERVER_FOLDER, DIRECTOR_COMMAND, DIRECTOR_SPEC.
set -Eeuo pipefail
umask 027

: "${SERVER_FOLDER:?}" "${DIRECTOR_COMMAND:?}" "${DIRECTOR_SPEC:?}"
director="$SERVER_FOLDER/director.js"
if [[ ! -f "$director" ]]; then
  echo "director: $director is missing: deploy the base stack first" >&2
  exit 3
fi

arguments=(--spec "$DIRECTOR_SPEC" --folder "$SERVER_FOLDER")

# A step that is stopped from outside ends the director with SIGTERM: it puts the traffic back and exits by itself.
# Started without a shell in between, which would take the signal for itself.
node "$director" "$DIRECTOR_COMMAND" "${arguments[@]}" &
running=$!
trap 'kill -TERM "$running" 2>/dev/null || true' TERM INT HUP
exit_code=0
wait "$running" || exit_code=$?
while kill -0 "$running" 2>/dev/null; do # a signal ends `wait` early
  exit_code=0
  wait "$running" || exit_code=$?
done

# Killed without a chance to tidy up: put the traffic back on what is stable.
if ((exit_code == 137 || exit_code == 134 || exit_code == 139)); then
  echo "director: $DIRECTOR_COMMAND was killed; putting the traffic back" >&2
  exit_code=5
  node "$director" abort "${arguments[@]}" || exit_code=$? # frozen, or the proxy can't be reached: the traffic is not back
fi
exit "$exit_code"
