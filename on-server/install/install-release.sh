#!/usr/bin/env bash
# Installs one release of the web application into one slot (blue or green) of this server, starts it and waits until
# it is healthy. It never touches the other slot, nor traffic, which is the director's.
#
# In the flow:  record -> synth -> Terraform step "install-<slot>-<server>" -> THIS SCRIPT on the server -> switch
#
# Promises: exit 0 means that the slot serves exactly RELEASE_ID (or is empty, if RELEASE_ID is). After any failure the
# slot has its earlier link again; MODE=inPlace also starts the old release again. It can be killed at any point and run
# again. Parameters are environment variables, see read_parameters; those without a default there are required.
#
# Exit codes: 0 done; 1 unexpected; 2 bad input; 3 refused (older or altered record, lock held, port or release id taken);
# 4 candidate rejected, traffic untouched; 5 stopped by a signal, rolled back.
#
# Below $SERVER_FOLDER:  install.lock  sequence ("<highest sequence seen> <record digest>")
#   releases/<id>/  the unpacked artifact; .release (id, sha256), .start (its argv, one argument a line), .start-<slot>
#                   (the argv that it was last started with there), .tree (the digest of all files) and .shared-storage
#                   (shared-storage.sh) are added here
#   slots/<slot>    -> ../releases/<id>
#   run/<slot>.pid  run/<slot>.healthy (the release that last became healthy there)  run/<slot>.env (systemd only)
#   logs/<slot>.log (about MAX_LOG_BYTES of the newest lines)   data/ (shared by all releases)   downloads/

# shellcheck disable=SC2317,SC2153 # called by traps and by attend; SLOT, HOST, PORT are parameters

# shellcheck disable=SC2292 # the shell that starts this may have no [[
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -Eeuo pipefail
umask 027

#include "../chosen-environment.sh"

readonly MAX_BYTES=2147483648 MAX_LOG_BYTES=10485760 MAX_ANSWER_KIB=1024
readonly FREE_BYTES=8388608 # stay free on the disk: for the sequence, logs, and what users upload

#include "linux/parameters.sh"

# -------------------------------------------------------------------------------------------------- main course

CHILD="" INCOMING="" MESSAGE="" OUTCOME="" INSTANCE="" PREVIOUS="" REASON="" STAGING="" PARTIAL="" PHASE="starting" WORK="" STATUS=""
STOPPED=0 LINKED=0 UNPACKED=0 DIED=0 LOG_START=0 SERVICE_GROUP="" INSTANCES=()
declare -A OF=()

main() {
  exec </dev/null 7>&1 8>&2
  trap finish EXIT
  trap 'unexpected "$LINENO" "$BASH_COMMAND"' ERR
  local signal
  for signal in TERM INT HUP; do
    # The ")" is for bash 5.2: a trap that runs while it parses a "$(" is parsed as part of it, and needs its end. That
    # line is never executed, because the one before exits.
    # shellcheck disable=SC2064 # $signal is to be expanded now
    trap "stopped_by SIG$signal"$'\n)' "$signal"
  done
  clock && STARTED_AT=$NOW

  keep_environment SIM_VM_ROOT
  read_parameters
  read_shared_parameters
  prepare
  fence
  if [[ -z $RELEASE_ID ]]; then
    empty_slot
  else
    check_shared_storage
    obtain_release
    prepare_shared_folders
    preparation_left
    ((LEFT > 0)) || fail 4 "the release was not unpacked within $PREPARE_SECONDS s, and nothing was stopped: retry"
    if already_healthy; then
      OUTCOME=already-installed
    else
      replace_instance
      OUTCOME=installed
    fi
    put "run/$SLOT.healthy" "$RELEASE_ID"
  fi
  trap '' TERM INT HUP # done: too late to roll back
  PHASE="cleaning up"
  clean_up || true
  report "$RELEASE_ID" "$OUTCOME"
}

# The result line, the last one on stdout.
report() { # RELEASE OUTCOME [MORE JSON]
  clock
  local took=$((NOW - STARTED_AT))
  printf '{"step":"install","slot":"%s","releaseId":"%s","outcome":"%s","seconds":%d.%03d%s}\n' \
    "$SLOT" "$1" "$2" $((took / 1000)) $((took % 1000)) "${3-}"
}

# The result line of a failure. The parameters may be invalid then, so it has none of them.
report_failure() { # EXIT_CODE
  local reason=${MESSAGE:0:1500}
  reason=${reason//\\/\\\\}
  reason="\"exitCode\":$1,\"reason\":\"${reason//\"/\\\"}\""
  if [[ $OUTCOME == restored ]]; then report "$PREVIOUS" restored ",$reason"; else
    printf '{"step":"install","outcome":"failed",%s}\n' "$reason"
  fi
}

# Checks the tools, creates the folders, takes the lock. From here on the working folder is the server's.
prepare() {
  PHASE="preparing"
  ((BASH_VERSINFO[0] >= 5)) || fail 1 "bash ${BASH_VERSION} is too old: install bash 5"
  local tool
  for tool in awk base64 chmod cp curl du env find flock grep readlink setsid sha256sum sleep sort stat sync tail timeout touch tr xargs; do
    command -v "$tool" >/dev/null || fail 1 "$tool is not on PATH: install it on this server"
  done
  mkdir -p -- "$SERVER_FOLDER"/{releases,slots,run,logs,downloads} "$DATA_FOLDER" ||
    fail 1 "$SERVER_FOLDER or $DATA_FOLDER cannot be created: make it writable"
  local project
  project=$(pwd -P)
  cd -P -- "$SERVER_FOLDER"
  SERVER_FOLDER=$PWD
  if [[ $SERVICE_MANAGER == systemd ]] && ! command -v systemctl >/dev/null; then
    fail 1 "systemctl is not on PATH: use SERVICE_MANAGER=process"
  fi
  if [[ -n $SERVICE_USER ]]; then prepare_account "$project"; fi

  exec 9>>install.lock
  local seconds=$(((PREPARE_SECONDS + 1) / 2)) # the download needs the rest
  flock -w "$seconds" 9 &
  CHILD=$!
  wait "$CHILD" || fail 3 "another install still runs on this server after $seconds s: wait for it, then retry"
  CHILD=
  remove_left_overs # first: they may fill the disk
  WORK=run/.work
  mkdir -p -- "$WORK" || fail 1 "$SERVER_FOLDER/$WORK cannot be created: is the disk full, or read-only?"
}

# The sequence only grows, and each sequence has one record: so a stale checkout cannot install anything.
fence() {
  PHASE="comparing the record's sequence"
  if [[ -e sequence ]]; then
    local known="" digest=""
    read -r known digest <sequence || true
    [[ $known =~ ^[1-9][0-9]{0,14}$ && $digest =~ ^[0-9a-f]{64}$ ]] ||
      fail 1 "$SERVER_FOLDER/sequence is unreadable: put \"<sequence> <digest>\" of the last applied record into it"
    ((SEQUENCE >= known)) || fail 3 "record $SEQUENCE is older than $known; use \`bluegreen rollback\`"
    if ((SEQUENCE == known)); then
      [[ $RECORD_DIGEST == "$digest" ]] ||
        fail 3 "record $SEQUENCE is already known with other content (${digest:0:12} before, ${RECORD_DIGEST:0:12} now): raise \"sequence\""
      return 0
    fi
  fi
  put sequence "$SEQUENCE $RECORD_DIGEST" durable 2>/dev/null ||
    fail 1 "$SERVER_FOLDER/sequence cannot be written ($(free_bytes) bytes are free on its disk): free some, then retry"
}

empty_slot() {
  PHASE="emptying the slot"
  stop_slot || fail 1 "slot $SLOT cannot be stopped, pid ${INSTANCES[*]} survived SIGKILL: check the server"
  if [[ $SERVICE_MANAGER == systemd && -e $(unit_file) ]]; then
    systemctl disable --quiet "$(unit)" || true
  fi
  rm -f -- "slots/$SLOT" "run/$SLOT.healthy"
  OUTCOME=emptied
}

# Stops the slot, starts the release there and waits for it. From here on `finish` rolls back a failure.
replace_instance() {
  remember_previous
  if ! instance_has_port; then refuse_foreign_listener 0; fi

  PHASE="stopping the old release"
  STOPPED=1
  stop_slot || fail 1 "slot $SLOT cannot be stopped, pid ${INSTANCES[*]} survived SIGKILL: check the server"
  refuse_foreign_listener 2000

  PHASE="starting $RELEASE_ID"
  LINKED=1
  put "releases/$RELEASE_ID/.start-$SLOT" "$START_COMMAND"
  link_slot "$RELEASE_ID"
  start_instance "$RELEASE_ID" || fail 4 "$RELEASE_ID cannot be started: ${REASON}"
  PHASE="waiting for $RELEASE_ID"
  wait_healthy "$RELEASE_ID" "$DEADLINE_MS" && return 0
  show_log
  if ((DIED)); then fail 4 "$RELEASE_ID ended before it was healthy (${REASON}): correct it, then release again"; fi
  fail 4 "$RELEASE_ID was not healthy within $DEADLINE_SECONDS s: ${REASON}: correct it, then release again"
}

# ------------------------------------------------------------------------------------------ failure and rollback

fail() { # CODE MESSAGE: printed after the rollback, so that one line has the whole result
  MESSAGE=$2
  exit "$1"
}

unexpected() { # LINE COMMAND
  MESSAGE=${MESSAGE:-"unexpected failure while $PHASE, line $1: $2: see the lines above, then retry"}
  exit 1
}

stopped_by() { # SIGNAL
  trap '' TERM INT HUP
  exec >&7 2>&8 # a trap inherits the redirections of the command that it interrupts
  if [[ -n $CHILD ]]; then kill -TERM "$CHILD" 2>/dev/null || true; fi
  fail 5 "stopped by $1 while $PHASE; rolled back: retry with a new sequence"
}

finish() {
  local code=$?
  trap - EXIT ERR
  trap '' TERM INT HUP # start_process resets that for an instance
  set +e
  if ((code != 0)); then roll_back; fi
  if [[ -n $WORK ]]; then rm -rf -- "$WORK"; fi
  if ((code != 0)); then
    MESSAGE=${MESSAGE:-"ended with $code while $PHASE"}
    MESSAGE=${MESSAGE//[^[:print:]]/?}
    printf 'install: %s\n' "$MESSAGE" >&2
    report_failure "$code"
  fi
  exit "$code"
}

# Restores the slot. May change `code`, a variable of `finish`.
roll_back() {
  if [[ -n $STAGING ]]; then rm -rf -- "$STAGING"; fi
  if [[ -n $PARTIAL ]]; then rm -f -- "$PARTIAL"; fi
  if ((STOPPED)); then
    pause 50 # a process that was just forked does not have an instance's environment yet
    if ! stop_slot; then
      code=1 MESSAGE+="; and pid ${INSTANCES[*]} cannot be stopped: check the server"
      return 0
    fi
    if [[ -n $PREVIOUS ]]; then link_slot "$PREVIOUS"; else rm -f -- "slots/$SLOT"; fi
    if [[ $MODE == inPlace && -n $PREVIOUS ]]; then
      restart_previous
    elif [[ $SERVICE_MANAGER == systemd && -e $(unit_file) ]]; then
      systemctl disable --quiet "$(unit)"
    fi
  fi
  if ((UNPACKED || LINKED)) && ! release_in_use "$RELEASE_ID"; then rm -rf -- "releases/$RELEASE_ID"; fi
}

restart_previous() {
  if start_instance "$PREVIOUS" && wait_healthy "$PREVIOUS" "$DEADLINE_MS"; then
    put "run/$SLOT.healthy" "$PREVIOUS"
    MESSAGE+="; the old release $PREVIOUS is running again and healthy"
    OUTCOME=restored
  else
    code=1 MESSAGE+="; and the old release $PREVIOUS did not start again (${REASON}): SLOT $SLOT SERVES NOTHING, see logs/$SLOT.log"
  fi
}

# The release to roll back to: the last healthy one. (After a crash the link may point to a candidate that never was.)
remember_previous() {
  local id
  PREVIOUS=
  for id in "$(last_healthy "$SLOT")" "$(linked_release "$SLOT")"; do
    if [[ -n $id && $id != "$RELEASE_ID" && -e releases/$id/.release ]]; then
      PREVIOUS=$id
      return 0
    fi
  done
}

#include "linux/fetch.sh"
#include "linux/unpack.sh"
#include "linux/shared-storage.sh"
#include "../account.sh"
#include "linux/account.sh"
#include "linux/instances.sh"
#include "linux/health.sh"
#include "linux/port.sh"
#include "../sandbox.sh"
#include "linux/systemd.sh"
#include "../bounded-logs.sh"
#include "linux/clean-up.sh"
#include "linux/small-parts.sh"

# One command, so bash reads it whole before it runs: the text can also come through stdin.
{
  main "$@"
  exit
}
