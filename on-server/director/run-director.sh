#!/usr/bin/env bash
# Runs one step of the director on this proxy. A Terraform step sends this script; the base stack installed the
# director. Parameters (environment): SERVER_FOLDER, DIRECTOR_COMMAND, DIRECTOR_SPEC.
set -Eeuo pipefail
umask 027

#include "../chosen-environment.sh"
drop_habits

: "${SERVER_FOLDER:?}" "${DIRECTOR_COMMAND:?}" "${DIRECTOR_SPEC:?}"
director="$SERVER_FOLDER/director.js"
if [[ ! -f "$director" ]]; then
  echo "director: $director is missing: deploy the base stack first" >&2
  exit 3
fi

# Other accounts can read arguments, and not the environment. Base may still have a director that only knows arguments.
export DIRECTOR_SPEC
spec=env:DIRECTOR_SPEC
grep --quiet --fixed-strings env:NAME "$director" || spec=$DIRECTOR_SPEC
arguments=(--spec "$spec" --folder "$SERVER_FOLDER")

# A stopped step sends SIGTERM to the director, which rolls back and exits. Start it without a shell in between: that
# shell would get the signal instead.
node "$director" "$DIRECTOR_COMMAND" "${arguments[@]}" &
running=$!
trap 'kill -TERM "$running" 2>/dev/null || true' TERM INT HUP
exit_code=0
wait "$running" || exit_code=$?
while kill -0 "$running" 2>/dev/null; do # a signal ends `wait` early
  exit_code=0
  wait "$running" || exit_code=$?
done

# The director was killed and could not roll back: abort does it.
if ((exit_code == 137 || exit_code == 134 || exit_code == 139)); then
  echo "director: $DIRECTOR_COMMAND was killed; rolling traffic back to stable" >&2
  exit_code=5
  node "$director" abort "${arguments[@]}" || exit_code=$? # frozen, or the proxy can't be reached: not rolled back
fi
exit "$exit_code"
