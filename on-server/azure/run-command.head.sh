#!/usr/bin/env bash
# The beginning of each managed run command on Linux. Synth assembles the command's text like this:
#
#     ... this file ...
#     receive_file 'director.js' <<'BLUEGREEN_FILE'     for each file that is delivered with it
#     H4sIAAAAAAAA...                                   base64 of gzip
#     BLUEGREEN_FILE
#     receive_script <<'BLUEGREEN_SCRIPT'
#     ... the step's script, unchanged ...
#     BLUEGREEN_SCRIPT
#     ... run-command.tail.sh ...
#
# Nothing happens before the tail: a truncated text does nothing and fails. The step succeeds only if its script ends
# with 0 and with a result line (result-line.sh). Then the last line of output is the one that the stack requires. If it
# fails, the last line on stderr has its exit code.
#
# Parameters (environment): STEP_NAME; SERVER_NAME; SERVER_FOLDER (absolute) and, if the script has one, DATA_FOLDER;
# the script's parameters; EMPTY_PARAMETERS. SIM_VM_ROOT: on a simulated machine, the folder that all paths are below.
#
# The script starts in $SERVER_FOLDER and finds the files in $SERVER_FOLDER/files. Its output and exit code are kept in
# $SERVER_FOLDER/commands/<STEP_NAME>/. Azure shows the last 4 KiB.

# shellcheck disable=SC2292 # the shell that starts this may have no [[
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -Eeuo pipefail
# At the end of a truncated text, bash would exit with 0.
ended=""
trap 'ended=$?; ((ended)) || { echo "run-command: the step did not arrive whole, and nothing was done: bluegreen retry, or deploy base again" >&2; ended=1; }; exit "$ended"' EXIT
umask 027

#include "../chosen-environment.sh"
drop_habits
export LC_ALL=C PATH="${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME="${HOME:-/root}"

readonly KEEP_COMMANDS=50 OUTPUT_BYTES=3800
declare -A FILES=()
SCRIPT="" RUNNING="" STOPPED=0

#include "../result-line.sh"

receive_file() { FILES["$1"]=$(cat); }
receive_script() { SCRIPT=$(cat); }

fail() { # MESSAGE
  printf 'run-command: %s\n' "${1//[^[:print:]]/?}" >&2
  exit 2
}

# Called by the tail. Exits with the script's exit code.
run_step() {
  check_parameters
  mkdir -p -- "$SERVER_FOLDER"/{files,commands}
  cd -P -- "$SERVER_FOLDER"
  local name
  for name in "${!FILES[@]}"; do put_file "$name"; done
  run_script "commands/$STEP_NAME"
}

check_parameters() {
  set_empty_parameters
  [[ ${STEP_NAME:-} =~ ^[0-9A-Za-z][0-9A-Za-z_.-]{0,79}$ ]] || fail "STEP_NAME is \"${STEP_NAME:-}\" but must be the name of a run command"
  [[ ${SERVER_NAME:-} =~ ^[0-9A-Za-z][0-9A-Za-z.-]{0,63}$ ]] || fail "SERVER_NAME is \"${SERVER_NAME:-}\" but must be letters, digits, . and -"
  [[ -n $SCRIPT ]] || fail "$STEP_NAME has no script"
  if [[ -n ${SIM_VM_ROOT:-} && $SIM_VM_ROOT != /* ]]; then SIM_VM_ROOT=$PWD; fi # a simulated machine starts this script in it
  place SERVER_FOLDER
  if [[ -n ${DATA_FOLDER:-} ]]; then place DATA_FOLDER; fi
  export STEP_NAME SERVER_NAME SIM_VM_ROOT="${SIM_VM_ROOT:-}"
}

# Azure has no empty parameters: EMPTY_PARAMETERS names those that are set to nothing.
set_empty_parameters() {
  local name
  for name in ${EMPTY_PARAMETERS:-}; do
    [[ $name =~ ^[A-Z][A-Z0-9_]{0,63}$ ]] || fail "EMPTY_PARAMETERS has \"$name\", which is not the name of a parameter"
    export "$name="
  done
}

place() { # NAME: of a variable with an absolute folder; puts it below SIM_VM_ROOT
  local folder=${!1:-}
  [[ $folder =~ ^/[0-9A-Za-z._/-]{1,200}$ && "$folder/" != */../* ]] || fail "$1 is \"$folder\" but must be an absolute folder"
  export "$1=${SIM_VM_ROOT:-}$folder"
}

put_file() { # NAME: whole or not at all
  [[ $1 =~ ^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$ ]] || fail "\"$1\" is not a valid name for a delivered file"
  base64 -d 2>/dev/null <<<"${FILES["$1"]}" | gzip -dc >"files/.$1.new" || fail "the file $1 arrived damaged"
  mv -fT -- "files/.$1.new" "files/$1"
}

# The script runs in a separate session. A signal to this process (from Azure at a timeout, or by hand) becomes one
# SIGTERM to the script; then this process waits until the script has rolled back.
run_script() { # FOLDER
  local code=0
  mkdir -p -- "$1"
  touch -- "$1" # the newest
  forget_old_commands
  printf '%s\n' "$SCRIPT" >"$1/script.sh"
  rm -f -- "$1/exit-code"
  trap stop_script TERM INT HUP
  setsid bash "$1/script.sh" >"$1/stdout" 2>"$1/stderr" </dev/null &
  RUNNING=$!
  if ((STOPPED)); then kill -TERM "$RUNNING" 2>/dev/null || true; fi
  wait "$RUNNING" || code=$?
  while kill -0 "$RUNNING" 2>/dev/null; do # a signal ends `wait` early
    code=0
    wait "$RUNNING" || code=$?
  done
  if ((code == 0)) && ! has_result "$1/stdout"; then
    code=1
    no_result "$STEP_NAME" "$SERVER_NAME" >>"$1/stderr"
  fi
  printf '%s\n' "$code" >"$1/exit-code"
  show "$1/stderr" >&2
  # Its exit code in our own words: how Azure and its callers report one changes with their versions.
  if ((code != 0)); then printf 'bluegreen: %s ended with %s\n' "$STEP_NAME" "$code" >&2; fi
  show "$1/stdout"
  trap - EXIT
  if ((code == 0)); then printf 'bluegreen: %s ended with 0\n' "$STEP_NAME"; fi
  exit "$code"
}

stop_script() {
  if ((STOPPED)); then return 0; fi
  STOPPED=1
  if [[ -n $RUNNING ]]; then kill -TERM "$RUNNING" 2>/dev/null || true; fi
}

show() { # FILE: its end, as whole lines
  tail -c "$OUTPUT_BYTES" -- "$1"
  if [[ -n $(tail -c 1 -- "$1" | tr -d '\0') ]]; then printf '\n'; fi
}

forget_old_commands() {
  local folder
  find commands -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort -rn | tail -n "+$((KEEP_COMMANDS + 1))" |
    while read -r _ folder; do rm -rf -- "$folder"; done || true
}

