# shellcheck shell=bash
# Runs one step on the server, once and with a time limit. run-remote.sh sends it.
set -Eeuo pipefail
umask 027
unset -v BASH_ENV
commands=$SERVER_FOLDER/commands
mkdir -p -- "$commands"
if ! mkdir -- "$commands/$STEP_NAME" 2>/dev/null; then
  echo "$STEP_NAME was run on $SERVER_NAME before, and a step runs once: continue with the next sequence" >&2
  exit 3
fi
script=$commands/$STEP_NAME/script
base64 --decode <<<"$STEP_SCRIPT" >"$script"
export -n STEP_SCRIPT STEP_SECONDS
code=0
timeout --kill-after=30 "$STEP_SECONDS" bash "$script" || code=$?
if ((code == 124)); then echo "$STEP_NAME did not end within $STEP_SECONDS s" >&2; fi
exit "$code"
