#!/usr/bin/env bash
# The local platform's replacement for Azure's run commands: runs a script once, under a name that is never used
# again, on a server that is a folder. Terraform's local-exec starts it as `run-command.sh NAME`; the script's
# parameters are environment variables, as on Azure. It succeeds only with a result line, see result-line.sh.
# Parameters: PROJECT_FOLDER, relative to it SERVER_FOLDER (DATA_FOLDER and SHARED_FOLDER), COMMAND_SCRIPT, COMMAND_TIMEOUT_SECONDS.
set -Eeuo pipefail
umask 027

#include "../chosen-environment.sh"
#include "../result-line.sh"
drop_habits

readonly KEEP_COMMANDS=50
name=$1
: "${PROJECT_FOLDER:?}" "${SERVER_FOLDER:?}" "${COMMAND_SCRIPT:?}" "${COMMAND_TIMEOUT_SECONDS:?}"

# Terraform runs commands in the stack's folder; scripts want absolute paths.
COMMAND_SCRIPT=$(realpath "$COMMAND_SCRIPT")
cd "$PROJECT_FOLDER"
SERVER_FOLDER=$(realpath --canonicalize-missing "$SERVER_FOLDER")
[[ -z "${DATA_FOLDER:-}" ]] || DATA_FOLDER=$(realpath --canonicalize-missing "$DATA_FOLDER")
[[ -z "${SHARED_FOLDER:-}" ]] || SHARED_FOLDER=$(realpath --no-symlinks --canonicalize-missing "$SHARED_FOLDER") # not resolved: it may hang
export SERVER_FOLDER DATA_FOLDER="${DATA_FOLDER:-}" SHARED_FOLDER="${SHARED_FOLDER:-}"

if [[ ! -d "$SERVER_FOLDER" ]]; then
  echo "the server ${SERVER_FOLDER##*/} does not exist: deploy the base stack first" >&2
  exit 3
fi
command_folder="$SERVER_FOLDER/commands/$name"
full="nothing can be written on ${SERVER_FOLDER##*/} (is its disk full, or read-only?): correct that, then \`bluegreen retry\`"
if ! { mkdir --parents "$SERVER_FOLDER/commands" && mkdir "$command_folder"; } 2>/dev/null; then
  if [[ ! -e "$command_folder" ]]; then
    echo "$full" >&2
    exit 1
  fi
  echo "$name was run on ${SERVER_FOLDER##*/} before, and a step runs once: \`bluegreen retry\` (or raise the record's sequence)" >&2
  exit 3
fi

# A name stays, because it is never used again; of the older commands nothing else is kept.
find "$SERVER_FOLDER/commands" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort --reverse --numeric-sort |
  tail --lines="+$((KEEP_COMMANDS + 1))" | while read -r _ old; do rm --force -- "$old"/*; done || true

# A separate session: Ctrl-C in the terminal goes to Terraform, and the script gets one SIGTERM from below.
setsid --wait timeout --kill-after=30 "$COMMAND_TIMEOUT_SECONDS" bash "$COMMAND_SCRIPT" \
  >"$command_folder/stdout" 2>"$command_folder/stderr" </dev/null &
running=$!

# Terraform may kill this command without warning, or be killed itself: then the script gets SIGTERM, rolls back and ends.
(
  while kill -0 "$PPID" 2>/dev/null && kill -0 $$ 2>/dev/null; do sleep 0.3; done
  pkill -TERM --parent "$running" || true
) >/dev/null 2>&1 </dev/null &
watcher=$!
trap 'pkill -TERM --parent "$running" || true' TERM INT HUP

exit_code=0
wait "$running" || exit_code=$?
while kill -0 "$running" 2>/dev/null; do
  exit_code=0
  wait "$running" || exit_code=$?
done
kill "$watcher" 2>/dev/null || true
silent=""
if ((exit_code == 0)) && ! has_result "$command_folder/stdout"; then
  silent=$(no_result "$name" "${SERVER_FOLDER##*/}")
  exit_code=1
fi
writable=yes
{ echo "$exit_code" >"$command_folder/exit-code"; } 2>/dev/null || writable=no
if ((exit_code == 124)); then echo "$name did not end within $COMMAND_TIMEOUT_SECONDS s" >>"$command_folder/stderr" || true; fi

# As on Azure: the last 4 KiB.
tail --bytes=4096 "$command_folder/stdout"
tail --bytes=4096 "$command_folder/stderr" >&2
if [[ -n "$silent" && "$writable" == yes ]]; then printf '%s\n' "$silent" >&2; fi
# The step's message about it could not be written either.
if ((exit_code != 0)) && [[ "$writable" == no && ! -s "$command_folder/stderr" ]]; then echo "$full" >&2; fi
exit "$exit_code"
