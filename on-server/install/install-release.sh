#!/usr/bin/env bash
# Installs one release of the web application into one slot (blue or green) of this server, starts it and waits until
# it is healthy. It never touches the other slot and knows nothing of traffic: that is the director's.
#
# Where it stands:  record -> synth -> Terraform step "install-<slot>-<server>" -> THIS SCRIPT on the server -> switch
#
# Promises: exit 0 means that the slot serves exactly RELEASE_ID (or is empty, if RELEASE_ID is). After any failure the
# slot is linked to what it was linked to before; MODE=inPlace also starts the old release again. It can be killed
# anywhere and run again. Parameters are environment variables, see read_parameters; whatever is not listed there as
# optional is required.
#
# Exit codes: 0 done; 1 unexpected; 2 bad input; 3 refused (older or altered record, lock held, port or release id taken);
# 4 candidate rejected, traffic untouched; 5 stopped by a signal, undone.
#
# Below $SERVER_FOLDER:  install.lock  sequence ("<highest sequence seen> <record digest>")
#   releases/<id>/  the unpacked artifact; .release (id, sha256) and .start (its argv, an argument a line) are ours
#   slots/<slot>    -> ../releases/<id>
#   run/<slot>.pid  run/<slot>.healthy (the release that last became healthy there)  run/<slot>.env (systemd only)
#   logs/<slot>.log   data/ (shared by all releases)   downloads/

# shellcheck disable=SC2317,SC2153 # called by traps and by attend; SLOT, HOST, PORT are parameters

# shellcheck disable=SC2292 # whatever started us may be another shell, which has no [[
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -Eeuo pipefail
umask 027

readonly MAX_ENTRIES=20000 MAX_BYTES=2147483648 MAX_LISTING_BYTES=67108864 MAX_LOG_BYTES=10485760 MAX_ANSWER_KIB=1024

# ---------------------------------------------------------------------------------------------------- parameters

read_parameters() {
  export LC_ALL=C # a range in a pattern is a range of bytes, whatever the server's language

  parameter SERVER_FOLDER "" 200 "$FOLDER" 'an absolute folder without "..", quotes and other shell characters'
  parameter APPLICATION "" 24 '^[a-z][a-z0-9-]*$' "a-z, 0-9 and -"
  parameter SERVER_NAME "" 64 '^[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?$' "letters, digits, . and -"
  parameter SLOT "" 5 '^(blue|green)$' "blue or green"
  parameter SEQUENCE "" 15 '^[1-9][0-9]*$' "a whole number from 1"
  parameter RECORD_DIGEST "" 64 '^[0-9a-f]{64}$' "64 lower-case hexadecimal digits"
  [[ -v RELEASE_ID ]] || fail 2 "RELEASE_ID is missing: set it, to nothing if the slot shall be empty"
  parameter RELEASE_ID "" 57 '^([0-9A-Za-z][0-9A-Za-z.-]*-[0-9]+)?$' '"<version>-<run>", or nothing for an empty slot'
  parameter SERVICE_MANAGER process 7 '^(process|systemd|auto)$' "process, systemd or auto"
  parameter SYSTEMD_FOLDER /etc/systemd/system 200 "$FOLDER" "an absolute folder"
  parameter SERVICE_USER www-data 32 '^[a-z_][a-z0-9_-]*$' "the name of a user"
  parameter MODE slot 7 '^(slot|inPlace)$' "slot or inPlace"
  parameter DEADLINE_SECONDS 60 4 '^[1-9][0-9]*$' "whole seconds from 1 to 9999"
  parameter STOP_SECONDS 30 4 '^[1-9][0-9]*$' "whole seconds from 1 to 9999"
  parameter KEEP_RELEASES 5 3 '^[1-9][0-9]*$' "a number from 1 to 999"
  parameter PROTECTED_RELEASES "" 2000 '^[0-9A-Za-z. -]*$' "release ids with blanks between them"
  parameter DATA_FOLDER "$SERVER_FOLDER/data" 200 "$FOLDER" "an absolute folder"
  if [[ $SERVICE_MANAGER == auto ]]; then
    SERVICE_MANAGER=process # SIM_VM_ROOT: this "machine" is a folder on somebody's own, whose systemd is none of our business
    if [[ -d /run/systemd/system && -z ${SIM_VM_ROOT:-} ]]; then SERVICE_MANAGER=systemd; fi
  fi
  milliseconds "$DEADLINE_SECONDS" && DEADLINE_MS=$REPLY
  milliseconds "$STOP_SECONDS" && STOP_MS=$REPLY

  [[ -n $RELEASE_ID ]] || return 0
  parameter VERSION "" 40 '^[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?$' "1 to 40 of letters, digits, . and -"
  [[ $RELEASE_ID$VERSION != *..* && ${RELEASE_ID%-*} == "$VERSION" ]] ||
    fail 2 "RELEASE_ID ${RELEASE_ID@Q} is not \"<version>-<run>\" of VERSION ${VERSION@Q}"
  parameter ARTIFACT_SHA256 "" 64 '^[0-9a-f]{64}$' "64 lower-case hexadecimal digits"
  parameter ARTIFACT_URL_BASE64 "" 4000 "$BASE64" "base64"
  parameter START_COMMAND_BASE64 "" 40000 "$BASE64" "base64"
  parameter HOST "" 100 '^[0-9A-Za-z:][0-9A-Za-z.:-]*$' "an address or a host name"
  parameter PORT "" 5 '^[1-9][0-9]*$' "a port from 1 to 65535"
  ((PORT <= 65535)) || fail 2 "PORT ${PORT} is above 65535"
  parameter HEALTH_PATH /health 2000 '^/[]!#-&(-;=?-Z[_a-z~]*$' "a path that starts with /"
  parameter HEALTH_STATUS 200 3 '^[1-5][0-9]{2}$' "a status code"
  parameter HEALTH_HOST "" 260 '^([0-9A-Za-z][0-9A-Za-z.-]*(:[0-9]+)?)?$' "a host name"
  parameter RELEASE_HEADER "" 64 '^([A-Za-z][A-Za-z0-9-]*)?$' "the name of a header, or nothing"
  parameter HEALTH_SUCCESSES 3 3 '^[1-9][0-9]*$' "a number from 1 to 999"
  parameter HEALTH_INTERVAL_SECONDS 1 8 '^[0-9]+(\.[0-9]{1,3})?$' "seconds"
  parameter HEALTH_TIMEOUT_SECONDS 5 8 '^[0-9]+(\.[0-9]{1,3})?$' "seconds"
  parameter FETCH_TIMEOUT_SECONDS 300 5 '^[1-9][0-9]*$' "whole seconds"
  parameter FETCH_STALL_SECONDS 20 4 '^[1-9][0-9]*$' "whole seconds"
  parameter FETCH_RETRY_SECONDS 300 4 '^[0-9]+$' "whole seconds"
  parameter ARTIFACT_HOST "" 260 '^((\[::1\]|[0-9A-Za-z][0-9A-Za-z.-]*)(:[1-9][0-9]{0,4})?)?$' "a host name, with a port or without"
  parameter IDENTITY "" 500 "$IDENTITY_PATTERN" "the resource id of a user-assigned managed identity"
  parameter IMDS_ENDPOINT http://169.254.169.254 60 "$IMDS_PATTERN" "http://169.254.169.254, or http:// on the loopback address"
  milliseconds "$HEALTH_INTERVAL_SECONDS" && INTERVAL_MS=$REPLY
  milliseconds "$HEALTH_TIMEOUT_SECONDS" && TIMEOUT_MS=$REPLY
  ((TIMEOUT_MS > 0)) || fail 2 "HEALTH_TIMEOUT_SECONDS must be more than 0"

  decode ARTIFACT_URL_BASE64
  ARTIFACT_URL=$REPLY
  [[ ${#ARTIFACT_URL} -le 2000 && $ARTIFACT_URL =~ $ARTIFACT_URL_PATTERN ]] ||
    refuse_value ARTIFACT_URL_BASE64 "${ARTIFACT_URL%%\?*}" "https://..., file:///..., or http:// on the loopback address"
  decode START_COMMAND_BASE64
  START_COMMAND=${REPLY%$'\n'}
  [[ $START_COMMAND =~ ^[^[:cntrl:]=-][^[:cntrl:]=]*($'\n'[^[:cntrl:]]*)*$ ]] ||
    refuse_value START_COMMAND_BASE64 "$START_COMMAND" 'arguments, one a line, the first one a program (no "=", no leading "-")'

  case $HOST in
    0.0.0.0) PROBE_HOST=127.0.0.1 ;;
    ::) PROBE_HOST="[::1]" ;;
    *:*) PROBE_HOST="[$HOST]" ;;
    *) PROBE_HOST=$HOST ;;
  esac
}

readonly BASE64='^[0-9A-Za-z+/]+={0,2}$'
# Names in any language are fine; what a shell, a unit file or a listing could read as something else is not.
readonly FOLDER='^/[^][:cntrl:]"'"'"'`$%\;:&|<>*?{}!#()[]*$'
readonly URL_REST='[]!#-&(-;=?-Z[_a-z~]*'
readonly LOOPBACK='(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?'
readonly ARTIFACT_URL_PATTERN="^(https://[0-9A-Za-z.-]+(:[0-9]+)?([/?]$URL_REST)?|http://$LOOPBACK([/?]$URL_REST)?|file:///$URL_REST)\$"
readonly IMDS_PATTERN="^http://(169\.254\.169\.254|$LOOPBACK)\$"
readonly IDENTITY_PATTERN='^(/subscriptions/[0-9A-Fa-f-]{36}/resource[Gg]roups/[0-9A-Za-z_.()-]{1,90}/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/[0-9A-Za-z_-]{3,128})?$'

# parameter NAME DEFAULT MAX_LENGTH PATTERN WHAT: the variable (or its default, if it is empty) fits, or exit 2.
parameter() {
  local value=${!1:-$2}
  [[ ${#value} -le $3 && $value =~ $4 ]] || refuse_value "$1" "$value" "$5"
  if [[ $4 == "$FOLDER" ]]; then
    [[ $value != / && "$value/" != */../* && "$value/" != */./* ]] || refuse_value "$1" "$value" "$5"
  fi
  printf -v "$1" %s "$value"
}

refuse_value() { # NAME VALUE WHAT
  fail 2 "$1 is \"${2:0:60}\" but must be $3: correct it in the environment or the record"
}

decode() { # NAME -> REPLY; a NUL byte, which bash would drop, becomes a control character, which is refused
  local text=${!1}
  REPLY=$(base64 -d 2>/dev/null <<<"$text" | tr '\0' '\1' && printf .) || fail 2 "$1 is no base64"
  REPLY=${REPLY%.}
}

milliseconds() { # SECONDS (may have up to three decimals) -> REPLY
  local part=
  if [[ $1 == *.* ]]; then part=${1#*.}; fi
  part=${part}000
  REPLY=$((10#${1%%.*} * 1000 + 10#${part:0:3}))
}

# -------------------------------------------------------------------------------------------------- main course

CHILD="" MESSAGE="" OUTCOME="" INSTANCE="" PREVIOUS="" REASON="" STAGING="" PHASE="starting" WORK="" STATUS=""
STOPPED=0 LINKED=0 UNPACKED=0 DIED=0 LOG_START=0 INSTANCES=()
declare -A OF=()

main() {
  exec </dev/null 7>&1 8>&2
  trap finish EXIT
  trap 'unexpected "$LINENO" "$BASH_COMMAND"' ERR
  local signal
  for signal in TERM INT HUP; do
    # The ")" is for bash 5.2, which takes a trap that it meets at a "$(" for what is in there, and wants its end. Nobody
    # else reads that line: the one before does not come back.
    # shellcheck disable=SC2064 # the signal's name of now
    trap "stopped_by SIG$signal"$'\n)' "$signal"
  done
  clock && STARTED_AT=$NOW

  read_parameters
  prepare
  fence
  if [[ -z $RELEASE_ID ]]; then
    empty_slot
  else
    obtain_release
    if already_healthy; then
      OUTCOME=already-installed
    else
      replace_instance
      OUTCOME=installed
    fi
    put "run/$SLOT.healthy" "$RELEASE_ID"
  fi
  trap '' TERM INT HUP # done: too late to take it back
  PHASE="cleaning up"
  clean_up || true
  report "$RELEASE_ID" "$OUTCOME"
}

report() { # RELEASE OUTCOME
  clock
  local took=$((NOW - STARTED_AT))
  printf '{"step":"install","slot":"%s","releaseId":"%s","outcome":"%s","seconds":%d.%03d}\n' \
    "$SLOT" "$1" "$2" $((took / 1000)) $((took % 1000))
}

# The folders, the tools and the lock. From here on the working folder is the server's.
prepare() {
  PHASE="preparing"
  ((BASH_VERSINFO[0] >= 5)) || fail 1 "bash ${BASH_VERSION} is too old: install bash 5"
  local tool
  for tool in awk base64 chmod cp curl du env find flock grep readlink setsid sha256sum sleep sort stat sync tail timeout touch tr; do
    command -v "$tool" >/dev/null || fail 1 "$tool is not on PATH: install it on this server"
  done
  mkdir -p -- "$SERVER_FOLDER"/{releases,slots,run,logs,downloads} "$DATA_FOLDER" ||
    fail 1 "$SERVER_FOLDER or $DATA_FOLDER cannot be created: make it writable"
  cd -P -- "$SERVER_FOLDER"
  SERVER_FOLDER=$PWD
  if [[ $SERVICE_MANAGER == systemd ]]; then prepare_systemd; fi

  exec 9>>install.lock
  flock -w "$DEADLINE_SECONDS" 9 &
  CHILD=$!
  wait "$CHILD" || fail 3 "another install still holds $SERVER_FOLDER/install.lock after $DEADLINE_SECONDS s: wait for it, then retry"
  CHILD=
  WORK=run/.work
  mkdir -p -- "$WORK"
}

# The sequence only grows, and a sequence has one content: so a stale checkout cannot install anything.
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
  put sequence "$SEQUENCE $RECORD_DIGEST" durable
}

empty_slot() {
  PHASE="emptying the slot"
  stop_slot || fail 1 "slot $SLOT cannot be stopped, pid ${INSTANCES[*]} survived SIGKILL: look at the server"
  if [[ $SERVICE_MANAGER == systemd && -e $(unit_file) ]]; then
    systemctl disable --quiet "$(unit)" || true
  fi
  rm -f -- "slots/$SLOT" "run/$SLOT.healthy"
  OUTCOME=emptied
}

# Stops what the slot runs, starts the release there and waits for it. What fails from here on is undone by `finish`.
replace_instance() {
  remember_previous
  if ! instance_has_port; then refuse_foreign_listener 0; fi

  PHASE="stopping the old release"
  STOPPED=1
  stop_slot || fail 1 "slot $SLOT cannot be stopped, pid ${INSTANCES[*]} survived SIGKILL: look at the server"
  refuse_foreign_listener 2000

  PHASE="starting $RELEASE_ID"
  LINKED=1
  put "releases/$RELEASE_ID/.start" "$START_COMMAND"
  link_slot "$RELEASE_ID"
  start_instance "$RELEASE_ID" || fail 4 "$RELEASE_ID cannot be started: ${REASON}"
  PHASE="waiting for $RELEASE_ID"
  wait_healthy "$RELEASE_ID" "$DEADLINE_MS" && return 0
  show_log
  if ((DIED)); then fail 4 "$RELEASE_ID ended before it was healthy (${REASON}): correct it, then release again"; fi
  fail 4 "$RELEASE_ID was not healthy within $DEADLINE_SECONDS s: ${REASON}: correct it, then release again"
}

# ---------------------------------------------------------------------------------------------- failure and undo

fail() { # CODE MESSAGE: said once everything is undone, so that one line tells the whole story
  MESSAGE=$2
  exit "$1"
}

unexpected() { # LINE COMMAND
  MESSAGE=${MESSAGE:-"unexpected failure while $PHASE, line $1: $2: look at the lines above, then retry"}
  exit 1
}

stopped_by() { # SIGNAL
  trap '' TERM INT HUP
  exec >&7 2>&8 # a trap says where the command that it met was told to
  if [[ -n $CHILD ]]; then kill -TERM "$CHILD" 2>/dev/null || true; fi
  fail 5 "stopped by $1 while $PHASE; undone: retry with a new sequence"
}

finish() {
  local code=$?
  trap - EXIT ERR
  trap '' TERM INT HUP # an instance forgets that, see start_process
  set +e
  if ((code != 0)); then undo; fi
  if [[ -n $WORK ]]; then rm -rf -- "$WORK"; fi
  if [[ -n $MESSAGE ]]; then printf 'install: %s\n' "${MESSAGE//[^[:print:]]/?}" >&2; fi
  exit "$code"
}

# Puts the slot back. May change `code`, which belongs to `finish`.
undo() {
  if [[ -n $STAGING ]]; then rm -rf -- "$STAGING"; fi
  if ((STOPPED)); then
    pause 50 # what was forked a moment ago is not yet recognizable as an instance
    if ! stop_slot; then
      code=1 MESSAGE+="; and pid ${INSTANCES[*]} cannot be stopped: look at the server"
      return 0
    fi
    if [[ -n $PREVIOUS ]]; then link_slot "$PREVIOUS"; else rm -f -- "slots/$SLOT"; fi
    if [[ $MODE == inPlace && -n $PREVIOUS ]]; then
      bring_back_previous
    elif [[ $SERVICE_MANAGER == systemd && -e $(unit_file) ]]; then
      systemctl disable --quiet "$(unit)"
    fi
  fi
  if ((UNPACKED || LINKED)) && ! release_in_use "$RELEASE_ID"; then rm -rf -- "releases/$RELEASE_ID"; fi
}

bring_back_previous() {
  if start_instance "$PREVIOUS" && wait_healthy "$PREVIOUS" "$DEADLINE_MS"; then
    put "run/$SLOT.healthy" "$PREVIOUS"
    MESSAGE+="; the old release $PREVIOUS is back and healthy"
    report "$PREVIOUS" restored
  else
    code=1 MESSAGE+="; and the old release $PREVIOUS did not come back (${REASON}): SLOT $SLOT SERVES NOTHING, look at logs/$SLOT.log"
  fi
}

# What the slot goes back to: what was last healthy there. (After a crash the link may be at a candidate that never was.)
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

# ----------------------------------------------------------------------------------- the release: fetch and unpack

obtain_release() {
  PHASE="fetching $RELEASE_ID"
  local known="" sha=""
  if [[ -e releases/$RELEASE_ID ]]; then
    read -r known sha 2>/dev/null <"releases/$RELEASE_ID/.release" || true
    if [[ $known == "$RELEASE_ID" && $sha == "$ARTIFACT_SHA256" ]]; then return 0; fi
    if [[ -n $sha ]] || release_in_use "$RELEASE_ID"; then
      fail 3 "release $RELEASE_ID is already here with sha256 ${sha:0:12}, the record says ${ARTIFACT_SHA256:0:12}: release it under a new version or run"
    fi
    rm -rf -- "releases/$RELEASE_ID" # no .release: put there by hand
  fi

  local partial=downloads/$ARTIFACT_SHA256.partial
  rm -f -- "$partial"
  if [[ $ARTIFACT_URL == file:* ]]; then
    fetch_file "$partial"
  elif is_artifact_host; then
    fetch_with_token "$partial"
  else
    fetch_http "$partial"
  fi
  local actual
  actual=$(sha256sum 7>&- 8>&- 9>&- <"$partial")
  [[ ${actual%% *} == "$ARTIFACT_SHA256" ]] ||
    fail 4 "the artifact's sha256 is ${actual:0:12}..., the record says ${ARTIFACT_SHA256:0:12}...: publish it again, or correct the record"

  PHASE="unpacking $RELEASE_ID"
  STAGING=releases/.staging-$RELEASE_ID-$RANDOM$RANDOM
  mkdir -- "$STAGING"
  unpack "$partial" "$STAGING"
  rm -rf -- "$STAGING/.release" "$STAGING/.start"
  printf '%s %s\n' "$RELEASE_ID" "$ARTIFACT_SHA256" >"$STAGING/.release"
  printf '%s\n' "$START_COMMAND" >"$STAGING/.start"
  # u=rwX...: what a build machine's modes were must not decide who can read it here.
  chmod -R u+rwX,g=rX,o= -- "$STAGING"
  date_files "$STAGING" "$partial"
  if [[ $SERVICE_MANAGER == systemd ]]; then chgrp -R -- "$SERVICE_GROUP" "$STAGING"; fi
  mv -T -- "$STAGING" "releases/$RELEASE_ID"
  STAGING="" UNPACKED=1
  rm -f -- "$partial"
}

# Files are as old as the artifact is published, on each server the same. Web servers make an ETag of time and size: with
# the one time that a reproducible build gives to all, a browser would be told that the last release's file is still good.
date_files() { # FOLDER ARTIFACT
  : >"$WORK/now"
  if [[ $2 -nt $WORK/now ]]; then touch -- "$2"; fi # no file is of the future
  find "$1" -type f -exec touch -r "$2" -- {} +
}

fetch_file() { # TARGET
  local path=${ARTIFACT_URL#file://}
  path=${path%%[?#]*}
  [[ $path != *%* || $path =~ ^([^%]|%[0-9A-Fa-f]{2})*$ ]] || fail 2 "the artifact's address has a % without two hexadecimal digits"
  printf -v path %b "${path//%/\\x}"
  [[ $path != *[[:cntrl:]]* && -f $path && -r $path ]] || fail 4 "download failed: there is no file ${path:0:200}: publish the artifact, then retry"
  attend limited cp --preserve=timestamps -- "$path" "$1" 2>"$WORK/error" || fail 4 "download failed: $(first_line "$WORK/error")"
}

fetch_http() { # TARGET
  local redirects=(-L --max-redirs 5 --proto-redir '=https')
  if [[ $ARTIFACT_URL == http:* ]]; then redirects=(); fi
  download "$1" "" -f --retry 2 --retry-connrefused "${redirects[@]}" ||
    fail 4 "download failed: $(first_line "$WORK/error"): is ${ARTIFACT_URL%%\?*} right and reachable from this server?"
  [[ $STATUS == 200 ]] || fail 4 "download failed: status $STATUS instead of 200 from ${ARTIFACT_URL%%\?*}"
  [[ -e $1 ]] || : >"$1" # curl creates nothing for an empty body
}

# download TARGET HEADERS OPTION... -> STATUS. The address and the headers go in through stdin: they may carry a
# signature or a token, and argv is public.
download() {
  local target=$1 headers=$2 code=0 only=('=https')
  shift 2
  if [[ $ARTIFACT_URL == http:* ]]; then only=('=http' --noproxy '*'); fi
  STATUS=
  attend limited timeout -k 2 "$FETCH_TIMEOUT_SECONDS" curl -q --config - -g -sS --proto "${only[@]}" "$@" \
    --remote-time --connect-timeout 10 --speed-limit 1024 --speed-time "$FETCH_STALL_SECONDS" -w '%{http_code}' -o "$target" \
    <<<"url = \"$ARTIFACT_URL\""$'\n'"$headers" >"$WORK/status" 2>"$WORK/error" || code=$?
  if ((code == 124 || code == 137)); then fail 4 "download failed: not complete after $FETCH_TIMEOUT_SECONDS s (FETCH_TIMEOUT_SECONDS): retry"; fi
  read -r STATUS <"$WORK/status" || true
  return "$code"
}

# Only this host ever sees a token of our identity: whatever else a record names is fetched without one.
is_artifact_host() {
  local host=${ARTIFACT_URL#*://} known=${ARTIFACT_HOST,,}
  host=${host%%[/?]*} host=${host,,}
  if [[ $ARTIFACT_URL == https:* ]]; then host=${host%:443} known=${known%:443}; fi
  [[ -n $known && $host == "$known" ]]
}

# From the environment's own storage, with a token of this machine's identity. Storage says 403 for minutes after a role
# was assigned, so that is tried again like any passing trouble. No redirect is followed: it would take the token along.
fetch_with_token() { # TARGET
  local code headers text said advice from=${ARTIFACT_URL%%\?*}
  clock && RETRY_END=$((NOW + FETCH_RETRY_SECONDS * 1000))
  obtain_token
  headers="header = \"Authorization: Bearer $REPLY\""$'\n''header = "x-ms-version: 2021-08-06"'
  RETRY_MS=250
  while true; do
    code=0 text="" advice="is $from right and reachable from this server?"
    download "$1" "$headers" || code=$?
    case $code:$STATUS in
      0:200)
        [[ -e $1 ]] || : >"$1" # curl creates nothing for an empty body
        return 0
        ;;
      0:*) said="storage answered $STATUS" ;;
      *) said="storage gave no whole answer ($(first_line "$WORK/error"))" ;;
    esac
    if [[ $code == 0 && -e $1 ]]; then IFS= read -r -N 1000 text <"$1" || true; fi
    if [[ $text =~ \<Code\>([A-Za-z]{1,60})\</Code\> ]]; then said+=" (${BASH_REMATCH[1]})"; fi
    case $code:$STATUS in
      0:403) advice="does the identity have Storage Blob Data Reader on the container?" ;;
      0:404) advice="is the artifact published at $from?" ;;
      0:429 | 0:5??) advice="retry later" ;;
      0:3??) fail 4 "download failed: $said: a redirect is not followed with a token: correct the artifact's address" ;;
      0:* | 23:* | 60:*) fail 4 "download failed: $said: $advice" ;;
      *) ;;
    esac
    wait_before_retry || fail 4 "download failed: $said for $FETCH_RETRY_SECONDS s: $advice"
  done
}

# From the machine's metadata service. The token is never in a file, an argument or a message.
obtain_token() { # -> REPLY
  local answer status said advice url identity=${IDENTITY//\//%2F}
  url="$IMDS_ENDPOINT/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F"
  identity=${identity//\(/%28}
  if [[ -n $IDENTITY ]]; then url+="&msi_res_id=${identity//\)/%29}"; fi
  RETRY_MS=250
  while true; do
    answer=$(curl -q -g -sS --noproxy '*' --proto '=http' --connect-timeout 2 --max-time 5 -H 'Metadata: true' \
      -w '\n%{http_code}' "$url" 2>"$WORK/error" 7>&- 8>&- 9>&- | tail -c 65536 | tr -d '\0') || true
    status=${answer##*$'\n'} answer=${answer%$'\n'*} advice="retry later"
    said="$IMDS_ENDPOINT answered ${status:0:3}"
    if [[ $answer =~ $TOKEN_REFUSED ]]; then said+=" (${BASH_REMATCH[1]})"; fi
    case $status in
      200)
        [[ $answer =~ $TOKEN_ANSWER ]] || fail 4 "no token for the identity: $said without a readable access_token: retry"
        REPLY=${BASH_REMATCH[2]}
        return 0
        ;;
      404 | 410 | 429 | 5??) ;;
      [1-4]??) fail 4 "no token for the identity: $said: is ${IDENTITY:-an identity} assigned to this machine?" ;;
      *) said="no answer from $IMDS_ENDPOINT ($(first_line "$WORK/error"))" advice="is this an Azure virtual machine?" ;;
    esac
    wait_before_retry || fail 4 "no token for the identity: $said for $FETCH_RETRY_SECONDS s: $advice"
  done
}

readonly TOKEN_ANSWER='^[[:space:]]*\{([^{}]*,)?[[:space:]]*"access_token"[[:space:]]*:[[:space:]]*"([0-9A-Za-z._~+/=-]+)"[[:space:]]*(,[^{}]*)?\}[[:space:]]*$'
readonly TOKEN_REFUSED='"error_description"[[:space:]]*:[[:space:]]*"([^"\]{1,200})'

# A longer pause each time, 0.25 to 15 s; or 1, once FETCH_RETRY_SECONDS are over.
wait_before_retry() {
  clock
  ((NOW < RETRY_END)) || return 1
  pause $((RETRY_MS < RETRY_END - NOW ? RETRY_MS : RETRY_END - NOW))
  RETRY_MS=$((RETRY_MS < 7500 ? RETRY_MS * 2 : 15000))
}

# No file may grow above the limit, whatever a header or a listing promised.
limited() {
  trap '' XFSZ
  ulimit -f $((MAX_BYTES / 1024))
  exec "$@"
}

# Nor may a listing, which a small archive can make endless.
listed() {
  trap '' XFSZ
  ulimit -f $((MAX_LISTING_BYTES / 1024))
  exec "$@"
}

# The kind is read from the first bytes, not the name. Everything is refused by the listing before a byte is unpacked,
# and what came out is looked at once more, because a listing can lie.
unpack() { # ARCHIVE FOLDER
  local magic="" odd
  IFS= read -r -N 4 magic <"$1" || true
  case $magic in
    PK$'\x03\x04') unpack_zip "$@" ;;
    $'\x1f\x8b'*) unpack_with_tar "$@" ;;
    *) fail 4 "the artifact is neither a zip nor a .tar.gz file: publish one of these" ;;
  esac
  odd=$(find "$2" -mindepth 1 \( ! -type d ! -type f -o -type f \( -links +1 -o -perm /6000 \) \) -print -quit)
  [[ -z $odd ]] || fail 4 "the archive holds more than files and folders: ${odd#"$2"/}"
  refuse_huge "$2"
}

is_huge() { # FOLDER
  local size
  size=$(du -sb -- "$1" 2>/dev/null) || return 1
  ((${size%%[!0-9]*} > MAX_BYTES + MAX_ENTRIES * 4096))
}

refuse_huge() { # FOLDER
  if is_huge "$1"; then fail 4 "the archive unpacks to more than $MAX_BYTES bytes: build it from less"; fi
}

# unpacking FOLDER COMMAND...: ended as soon as the folder is too large. Sizes in a zip's listing can lie, and what they
# keep back would fill the disk before anybody could look.
unpacking() {
  local folder=$1 code=0
  shift
  limited "$@" <&0 7>&- 8>&- 9>&- &
  CHILD=$!
  keep_small "$folder" "$CHILD" </dev/null >/dev/null 2>&1 7>&- 8>&- 9>&- &
  wait "$CHILD" || code=$?
  CHILD=
  return "$code"
}

keep_small() { # FOLDER PID
  trap - EXIT ERR TERM INT HUP
  while kill -0 "$2"; do
    if is_huge "$1"; then kill -KILL "$2"; fi
    sleep 0.2
  done
}

# What Windows has packed, unzip reads in the character set of DOS, and names beyond ASCII change: it is left to Python.
unpack_zip() { # ARCHIVE FOLDER
  local unzip python
  unzip=$(command -v unzip) || true
  python=$(command -v python3) || true
  [[ -n $unzip$python ]] || fail 1 "neither unzip nor python3 is on PATH: install one of them on this server"
  if [[ -z $unzip ]] || { [[ -n $python ]] && is_of_windows "$1"; }; then
    unpack_with_python "$@"
  else
    unpack_with_unzip "$@"
  fi
}

is_of_windows() { # ARCHIVE
  attend listed unzip -Z -s "$1" >"$WORK/listing" 2>/dev/null || true
  awk '$2 ~ /^[0-9]+\.[0-9]$/ && $3 != "unx" { found = 1; exit } END { exit !found }' "$WORK/listing"
}

unpack_with_unzip() {
  LC_ALL=C.UTF-8 attend listed unzip -Z -s "$1" >"$WORK/listing" 2>"$WORK/error" || reject_archive "$WORK/error" "$WORK/listing"
  check_entries zip
  LC_ALL=C.UTF-8 unpacking "$2" unzip -qq -n "$1" -d "$2" >"$WORK/error" 2>&1 || reject_unpacked "$2"
}

unpack_with_python() {
  attend listed python3 -I -c "$PYTHON_ZIP" list "$1" >"$WORK/listing" 2>"$WORK/error" || reject_archive "$WORK/error"
  check_entries plain
  unpacking "$2" python3 -I -c "$PYTHON_ZIP" unpack "$1" "$2" >/dev/null 2>"$WORK/error" || reject_unpacked "$2"
}

unpack_with_tar() {
  LC_ALL=C.UTF-8 attend listed tar -tzvPf "$1" --force-local --numeric-owner --quoting-style=escape >"$WORK/listing" 2>"$WORK/error" ||
    reject_archive "$WORK/error"
  check_entries tar
  unpacking "$2" tar -xzf "$1" --force-local --no-same-owner --no-same-permissions -C "$2" 2>"$WORK/error" ||
    reject_unpacked "$2"
}

reject_unpacked() { # FOLDER: what was unpacked of it is too large, or the tool says what is wrong
  refuse_huge "$1"
  reject_archive "$WORK/error"
}

reject_archive() { # FILE...: with what the tool said
  local file text=""
  for file in "$@"; do text=${text:-$(first_line "$file")}; done
  fail 4 "the archive cannot be unpacked: ${text:-no reason given}: build and publish it again"
}

check_entries() { # zip | tar | plain: the format of $WORK/listing
  local problem
  problem=$(awk -v format="$1" -v max_entries="$MAX_ENTRIES" -v max_bytes="$MAX_BYTES" "$ENTRY_RULES" "$WORK/listing") ||
    fail 4 "the archive is refused: ${problem:-its listing cannot be read}: build it from plain files and folders"
}

# One rule set for every listing. zip: control characters are shown as ^X; tar: as an escape; plain: as a backslash.
# shellcheck disable=SC2016
readonly ENTRY_RULES='
  function refuse(why, name) {
    if (refused) return
    gsub(/[^ -~]/, "?", name)
    printf "%s%s", why, (name == "" ? "" : ": " substr(name, 1, 100))
    refused = 1
    exit 1
  }
  function entry(kind, size, name,    plain) {
    if (++count > max_entries) return refuse("it has more than " max_entries " entries", "")
    if (kind == "encrypted") return refuse("an encrypted entry", name)
    if (kind !~ /^[-d?]$/) return refuse("it has an entry that is neither file nor folder (" kind ")", name)
    if (size !~ /^[0-9]+$/) return refuse("its listing cannot be read", name)
    total += size
    if (total > max_bytes) return refuse("it unpacks to more than " max_bytes " bytes", "")
    if (name ~ /\\/ || name ~ /[\001-\037\177]/ || (format == "zip" && name ~ /\^[?@-_]/))
      return refuse("a backslash or control character in a name", name)
    if (name ~ /^\//) return refuse("an absolute name", name)
    if (("/" name "/") ~ /\/\.\.\//) return refuse("a name that leaves the folder", name)
    if (length(name) > 1000) return refuse("a name of more than 1000 bytes", name)
    plain = name
    sub(/^\.\//, "", plain); sub(/\/$/, "", plain)
    if (plain == "" && format == "tar") return # "./", the folder itself, is nothing to unpack
    kept++
    if (("/" plain "/") ~ /\/\.?\//) return refuse("a name with an empty part", name)
    if (plain in seen) return refuse("two entries of one name", name)
    seen[plain] = 1
  }
  function after(fields, line) { # the name begins one blank after so many fields, and may have blanks itself
    while (fields-- > 0) { match(line, /^ *[^ ]+/); line = substr(line, RLENGTH + 1) }
    return substr(line, 2)
  }
  function zip_entry(line,    part) {
    split(line, part, " +")
    entry(part[5] ~ /^[BT]/ ? "encrypted" : substr(line, 1, 1), part[4], after(8, line))
  }
  format == "plain" { entry($1, $2, after(2, $0)) }
  format == "tar" { entry(substr($1, 1, 1), $3, after(5, $0)) }
  format == "zip" && NR > 2 { if (NR > 3) zip_entry(held); held = $0 } # two lines of heading, one of totals
  END { if (!refused && !kept) refuse("it is empty", ""); if (refused) exit 1 }'

# Names are UTF-8 where they say so, or were packed on Unix (zip on Linux does not say so); else they are of DOS.
readonly PYTHON_ZIP='
import os, stat, sys, zipfile
UNIX, ENCRYPTED, UTF8 = 3, 1, 0x800
KINDS = {stat.S_IFREG: "-", stat.S_IFDIR: "d", 0: "-", stat.S_IFLNK: "l"}
def name_of(info):
    if "\0" in info.orig_filename: return "\\"
    known = info.create_system != UNIX or info.flag_bits & UTF8 or info.filename != info.orig_filename
    return info.filename if known else info.filename.encode("cp437").decode("utf-8")
def line_of(info):
    kind = "encrypted" if info.flag_bits & ENCRYPTED else KINDS.get(stat.S_IFMT(info.external_attr >> 16), "o")
    name = "".join("\\" if ord(c) < 32 or 127 <= ord(c) < 160 else c for c in name_of(info))
    return ("%s %d %s\n" % (kind, info.file_size, name)).encode("utf-8")
def unpack(archive, info, folder):
    info.filename = name_of(info)
    target = archive.extract(info, folder)
    if info.external_attr >> 16 & 0o111 and not os.path.isdir(target): os.chmod(target, 0o750)
def main(mode, path, folder=None):
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if mode == "list": sys.stdout.buffer.write(line_of(info))
            else: unpack(archive, info, folder)
try:
    main(*sys.argv[1:])
except Exception as error:
    sys.exit("python3: %s" % (error,))
'

# --------------------------------------------------------------------------------- instances: who runs in a slot

# read_instance PID -> OF: what the process was started with. The environment a process began with cannot be a
# coincidence: so a pid that meanwhile belongs to somebody else is never taken for ours.
read_instance() {
  local entries=() entry
  OF=()
  { mapfile -d '' -t entries <"/proc/$1/environ"; } 2>/dev/null || return 1
  for entry in "${entries[@]}"; do
    case $entry in
      BLUEGREEN_*=* | HOST=* | PORT=* | DATA_FOLDER=*) OF["${entry%%=*}"]=${entry#*=} ;;
      *) ;;
    esac
  done
  [[ ${OF[BLUEGREEN_SERVER_FOLDER]-} == "$SERVER_FOLDER" && ${OF[BLUEGREEN_SERVER]-} == "$SERVER_NAME" ]]
}

is_instance() { # PID: of this slot
  read_instance "$1" && [[ ${OF[BLUEGREEN_SLOT]-} == "$SLOT" ]]
}

find_instances() { # -> INSTANCES: the pids of this slot, children and strays included
  local files=() file pid
  INSTANCES=()
  mapfile -t files < <(grep -lzxF -- "BLUEGREEN_SERVER_FOLDER=$SERVER_FOLDER" /proc/[0-9]*/environ 2>/dev/null || true)
  for file in "${files[@]}"; do
    pid=${file//[^0-9]/}
    if [[ $pid != "$$" ]] && is_instance "$pid"; then INSTANCES+=("$pid"); fi
  done
}

keep_living_instances() {
  local pid living=()
  for pid in "${INSTANCES[@]}"; do
    if is_instance "$pid"; then living+=("$pid"); fi
  done
  INSTANCES=("${living[@]}")
}

# SIGTERM to the main process first (it may want to tell its workers itself), then to what it left behind; SIGKILL after
# STOP_SECONDS. Returns 1 if something survives.
stop_slot() {
  local pid main="" told_all=0 killed=0 wait_ms=20 end
  if [[ $SERVICE_MANAGER == systemd && -e $(unit_file) ]]; then
    attend systemctl stop "$(unit)" || true # what it leaves is found below
  fi
  find_instances
  if ((${#INSTANCES[@]})); then
    if [[ -r run/$SLOT.pid ]]; then read -r main <"run/$SLOT.pid" || true; fi
    if [[ " ${INSTANCES[*]} " != *" $main "* ]]; then main=; fi
    if [[ -n $main ]]; then kill -TERM "$main" 2>/dev/null || true; fi
    clock && end=$((NOW + STOP_MS))
    while ((${#INSTANCES[@]})); do
      if ((!told_all)) && [[ -z $main || " ${INSTANCES[*]} " != *" $main "* ]]; then
        kill -TERM "${INSTANCES[@]}" 2>/dev/null || true
        told_all=1
      fi
      clock
      if ((NOW >= end)); then
        find_instances
        ((killed < 3)) || break
        ((killed += 1, end = NOW + 2000))
        if ((${#INSTANCES[@]})); then kill -KILL "${INSTANCES[@]}" 2>/dev/null || true; fi
      fi
      pause "$wait_ms"
      ((wait_ms < 200 && (wait_ms += 10))) || true
      keep_living_instances
      if ((!${#INSTANCES[@]})); then find_instances; fi # born while we waited
    done
  fi
  rm -f -- "run/$SLOT.pid"
  ((!${#INSTANCES[@]}))
}

# Runs the slot exactly what it shall run, with the same parameters? Then it is left alone. It may still be starting
# (this is the second run after a crash): it gets a third of the deadline.
already_healthy() {
  local pid
  PHASE="looking at what runs in slot $SLOT"
  find_instances
  ((${#INSTANCES[@]})) || return 1
  for pid in "${INSTANCES[@]}"; do
    is_instance "$pid" || return 1
    [[ ${OF[BLUEGREEN_RELEASE_ID]-} == "$RELEASE_ID" && ${OF[HOST]-} == "$HOST" && ${OF[PORT]-} == "$PORT" &&
      ${OF[DATA_FOLDER]-} == "$DATA_FOLDER" ]] || return 1
  done
  [[ $(linked_release "$SLOT") == "$RELEASE_ID" && $(<"releases/$RELEASE_ID/.start") == "$START_COMMAND" ]] || return 1
  INSTANCE=${INSTANCES[0]}
  wait_healthy "$RELEASE_ID" $((DEADLINE_MS / 3))
}

instance_has_port() {
  local pid
  for pid in "${INSTANCES[@]}"; do
    if is_instance "$pid" && [[ ${OF[PORT]-} == "$PORT" && ${OF[HOST]-} == "$HOST" ]]; then return 0; fi
  done
  return 1
}

# ----------------------------------------------------------------------------------------------- start and health

start_instance() { # RELEASE -> INSTANCE (a pid), LOG_START; or 1 and REASON
  local command=() log=logs/$SLOT.log size
  mapfile -t command <"releases/$1/.start"
  size=$(stat -c %s -- "$log" 2>/dev/null) || size=0
  if ((size > MAX_LOG_BYTES)); then mv -fT -- "$log" "$log.1" && size=0; fi
  LOG_START=$size DIED=0
  if [[ $SERVICE_MANAGER == systemd ]]; then
    start_service "$1" "${command[@]}" || return 1 # never a bare "return": below a trap, it repeats the status before
    return 0
  fi
  start_process "$1" "${command[@]}" >>"$log" 2>&1 &
  INSTANCE=$!
  disown "$INSTANCE" # bash shall neither wait for it nor report its end
  put "run/$SLOT.pid" "$INSTANCE"
}

# In a subshell, which becomes the instance: own session, known environment, no descriptor of ours. An inherited lock
# would outlive this script; an inherited pipe would keep the Terraform step waiting for ever.
start_process() { # RELEASE COMMAND...
  local descriptor
  trap - EXIT ERR TERM INT HUP QUIT
  cd -- "releases/$1"
  shift
  for descriptor in /proc/self/fd/*; do
    descriptor=${descriptor##*/}
    if ((descriptor > 2)); then exec {descriptor}>&-; fi
  done
  exec setsid env -i PATH="$PATH" HOME="${HOME:-$SERVER_FOLDER}" LANG="${LANG:-C.UTF-8}" HOST="$HOST" PORT="$PORT" \
    DATA_FOLDER="$DATA_FOLDER" BLUEGREEN_RELEASE_ID="${PWD##*/}" BLUEGREEN_SLOT="$SLOT" BLUEGREEN_SERVER="$SERVER_NAME" \
    BLUEGREEN_APPLICATION="$APPLICATION" BLUEGREEN_SERVER_FOLDER="$SERVER_FOLDER" "$@" </dev/null
}

instance_lives() {
  if [[ $SERVICE_MANAGER == systemd ]]; then systemctl is-active --quiet "$(unit)"; else kill -0 "$INSTANCE" 2>/dev/null; fi
}

# wait_healthy RELEASE MILLISECONDS: HEALTH_SUCCESSES good answers in a row, or 1 and REASON (and DIED).
wait_healthy() {
  local end good=0 rest before
  REASON="no answer" DIED=0
  clock && end=$((NOW + $2))
  while true; do
    if ! instance_lives; then
      DIED=1
      return 1
    fi
    clock && rest=$((end - NOW))
    ((rest > 0)) || return 1
    before=$REASON
    if probe "$1" "$rest"; then
      good=$((good + 1))
      if ((good >= HEALTH_SUCCESSES)); then return 0; fi
      rest=$INTERVAL_MS
    else
      good=0
      # The end cut this one short: what the one before it met says more.
      if ((CUT_SHORT)) && [[ $before != "no answer" ]]; then REASON=$before; fi
      # Nobody listens yet: that costs nothing to ask, and most applications are up in a moment.
      rest=$((NOT_LISTENING && INTERVAL_MS > 100 ? 100 : INTERVAL_MS))
    fi
    clock
    pause $((rest < end - NOW ? rest : end - NOW))
  done
}

# One request: the status, and the release that answers. A redirect is an answer like any other, and not followed.
probe() { # RELEASE MILLISECONDS -> 0, or 1 and REASON, NOT_LISTENING, CUT_SHORT
  local code=0 line status="" seen=() body="" limit=$(($2 < TIMEOUT_MS ? $2 : TIMEOUT_MS))
  NOT_LISTENING=0 CUT_SHORT=0
  : >"$WORK/headers"
  : >"$WORK/body"
  attend request "$limit" 2>"$WORK/error" || code=$?
  if ((code != 0)); then
    ((code != 7)) || NOT_LISTENING=1
    if ((code == 28 && limit < TIMEOUT_MS)); then CUT_SHORT=1; fi
    REASON="no answer on http://$PROBE_HOST:$PORT ($(first_line "$WORK/error"))"
    return 1
  fi
  while IFS= read -r line; do
    line=${line%$'\r'}
    if [[ $line == HTTP/* ]]; then
      line=${line#* } status=${line:0:3} seen=()
    elif [[ -n $RELEASE_HEADER && ${line,,} == "${RELEASE_HEADER,,}":* ]]; then
      line=${line#*:}
      line=${line#"${line%%[! ]*}"}
      seen+=("${line%"${line##*[! ]}"}")
    fi
  done <"$WORK/headers"
  if [[ $status != "$HEALTH_STATUS" ]]; then
    REASON="$HEALTH_PATH answered ${status:-without status}, expected $HEALTH_STATUS"
    return 1
  fi
  if [[ -n $RELEASE_HEADER ]]; then
    [[ ${#seen[@]} -eq 1 && ${seen[0]} == "$1" ]] && return 0
    REASON="$HEALTH_PATH says release \"${seen[*]:0:3}\" in $RELEASE_HEADER, expected \"$1\""
    return 1
  fi
  IFS= read -r -N $((MAX_ANSWER_KIB * 1024)) body <"$WORK/body" 2>/dev/null || true
  [[ $body =~ (^|[^0-9A-Za-z._-])"$1"($|[^0-9A-Za-z._-]|\.($|[^0-9A-Za-z])) ]] && return 0
  REASON="the body of $HEALTH_PATH does not name release \"$1\" (it begins \"${body:0:60}\")"
  return 1
}

request() { # MILLISECONDS
  local host=() limit
  if [[ -n $HEALTH_HOST ]]; then host=(-H "Host: $HEALTH_HOST"); fi
  printf -v limit '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
  trap '' XFSZ
  ulimit -f "$MAX_ANSWER_KIB"
  exec curl -q -g -sS --noproxy '*' --proto '=http' --path-as-is --max-time "$limit" -A bluegreen-install "${host[@]}" \
    -D "$WORK/headers" -o "$WORK/body" "http://$PROBE_HOST:$PORT$HEALTH_PATH"
}

show_log() { # the last words of this start
  local text
  text=$(tail -c "+$((LOG_START + 1))" -- "logs/$SLOT.log" 2>/dev/null | tail -n 5 | tail -c 1000 | tr -d '\000-\011\013-\037\177-\377') || true
  [[ -n $text ]] || return 0
  printf 'log: %s\n' "${text//$'\n'/$'\n'log: }" >&2
}

# ------------------------------------------------------------------------------------------------------- the port

# refuse_foreign_listener MILLISECONDS: exit 3 if somebody still listens where the release shall listen. A process that
# just ended closes its sockets a moment after it is gone, hence the patience.
refuse_foreign_listener() {
  local end
  clock && end=$((NOW + $1))
  while port_taken; do
    clock
    ((NOW < end)) || fail 3 "port $PORT on $HOST is taken by $(listener_name "$REPLY"), which is not slot $SLOT: stop it, or choose another port"
    pause 20
  done
}

port_taken() { # -> REPLY: the socket's inode
  local line fields=() address="" part=() port
  printf -v port %04X "$PORT"
  if [[ $HOST =~ ^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$ ]]; then
    part=("${BASH_REMATCH[@]}") # the kernel prints the address as a little-endian number
    printf -v address %02X%02X%02X%02X "$((10#${part[4]}))" "$((10#${part[3]}))" "$((10#${part[2]}))" "$((10#${part[1]}))"
  fi
  while IFS= read -r line; do
    read -ra fields <<<"$line"
    REPLY=${fields[9]-}
    case ${fields[1]%:*} in
      00000000 | "$address" | 0000000000000000FFFF0000"$address") return 0 ;;
      *) ;;
    esac
    # Any address, or one that only the resolver knows: whoever accepts there is in the way.
    if [[ $HOST == 0.0.0.0 || $HOST == :: ]] || somebody_accepts; then return 0; fi
  done < <(grep -hE "^ *[0-9]+: [0-9A-F]+:$port [0-9A-F]+:0000 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null || true)
  return 1
}

somebody_accepts() {
  # shellcheck disable=SC2016
  timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$HOST" "$PORT" 2>/dev/null 7>&- 8>&- 9>&-
}

listener_name() { # INODE
  local file pid comm=""
  file=$(find /proc/[0-9]*/fd -lname "socket:\[$1\]" -print -quit 2>/dev/null) || true
  pid=${file#/proc/} pid=${pid%%/*}
  if [[ -z $pid ]]; then
    printf 'a process of another user'
    return 0
  fi
  read -r comm <"/proc/$pid/comm" || true
  printf 'pid %s (%s)' "$pid" "$comm"
}

# -------------------------------------------------------------------------------------------------------- systemd

unit() { printf '%s@%s.service' "$APPLICATION" "$SLOT"; }
unit_file() { printf '%s/%s@.service' "$SYSTEMD_FOLDER" "$APPLICATION"; }

prepare_systemd() {
  command -v systemctl >/dev/null || fail 1 "systemctl is not on PATH: use SERVICE_MANAGER=process"
  SERVICE_GROUP=$(id -gn -- "$SERVICE_USER" 2>/dev/null) || fail 2 "SERVICE_USER $SERVICE_USER does not exist on this server: create it"
  chgrp -- "$SERVICE_GROUP" . releases slots
  chmod g+x . releases slots
  if [[ $DATA_FOLDER == "$SERVER_FOLDER/data" ]]; then chown -- "$SERVICE_USER:$SERVICE_GROUP" data; fi
}

# One template for both slots; what differs from slot to slot (the environment) and from release to release (the
# command) is beside it, so that writing for one slot never changes the other.
start_service() { # RELEASE COMMAND...
  local release=$1 word words="" unit folder
  unit=$(unit)
  folder=$SYSTEMD_FOLDER/$unit.d
  shift
  for word in "$@"; do
    word=${word//\\/\\\\}
    word=${word//\"/\\\"}
    word=${word//%/%%}
    words+=" \"${word//\$/\$\$}\""
  done
  mkdir -p -- "$folder"
  put "run/$SLOT.env" "$(environment_file "$release")"
  put "$folder/start.conf" "[Service]"$'\n'"ExecStart="$'\n'"ExecStart=/usr/bin/env$words"
  put "$(unit_file)" "$(unit_text)"
  REASON=$({ systemctl daemon-reload && systemctl enable --quiet "$unit" && systemctl restart "$unit"; } 2>&1 7>&- 8>&- 9>&-) && return 0
  REASON=${REASON:-systemctl failed}
  REASON=${REASON//$'\n'/; }
  return 1
}

environment_file() { # RELEASE
  cat <<TEXT
LANG="${LANG:-C.UTF-8}"
HOST="$HOST"
PORT="$PORT"
DATA_FOLDER="$DATA_FOLDER"
BLUEGREEN_RELEASE_ID="$1"
BLUEGREEN_SLOT="$SLOT"
BLUEGREEN_SERVER="$SERVER_NAME"
BLUEGREEN_APPLICATION="$APPLICATION"
BLUEGREEN_SERVER_FOLDER="$SERVER_FOLDER"
TEXT
}

unit_text() {
  cat <<TEXT
# Written by bluegreen's install-release.sh; the next install writes it again.
[Unit]
Description=$APPLICATION, slot %i
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User=$SERVICE_USER
UMask=0027
WorkingDirectory=${SERVER_FOLDER}/slots/%i
EnvironmentFile=${SERVER_FOLDER}/run/%i.env
# The slot's own start.conf replaces this.
ExecStart=/bin/false
StandardOutput=append:${SERVER_FOLDER}/logs/%i.log
StandardError=inherit
KillMode=mixed
TimeoutStopSec=$STOP_SECONDS
Restart=on-failure
RestartSec=1
NoNewPrivileges=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
TEXT
}

# ------------------------------------------------------------------------------------------------------- clean up

# The newest KEEP_RELEASES by their run, and everything that is in use. Called where its failure does not count.
clean_up() {
  local folder id kept=0 ids=""
  rm -rf -- releases/.staging-* downloads/*
  for folder in releases/*-*; do
    id=${folder##*/}
    if [[ $id =~ -([0-9]+)$ ]]; then ids+="${BASH_REMATCH[1]} $id"$'\n'; fi
  done
  while read -r _ id; do
    if [[ -z $id ]]; then continue; fi
    if ((kept < KEEP_RELEASES)); then
      kept=$((kept + 1))
    elif ! release_in_use "$id"; then
      rm -rf -- "releases/$id"
    fi
  done < <(sort -rn <<<"$ids")
}

# A slot is linked to it or was last healthy with it, the caller protects it, or a process runs from it.
release_in_use() { # RELEASE
  local slot file files=()
  for slot in blue green; do
    if [[ $(linked_release "$slot") == "$1" || $(last_healthy "$slot") == "$1" ]]; then return 0; fi
  done
  if [[ " $PROTECTED_RELEASES " == *" $1 "* ]]; then return 0; fi
  mapfile -t files < <(grep -lzxF -- "BLUEGREEN_RELEASE_ID=$1" /proc/[0-9]*/environ 2>/dev/null || true)
  for file in "${files[@]}"; do
    if read_instance "${file//[^0-9]/}"; then return 0; fi
  done
  return 1
}

# ----------------------------------------------------------------------------------------------------- small parts

clock() { # -> NOW: milliseconds of the clock that nobody sets
  local up
  read -r up _ </proc/uptime
  NOW=$((10#${up/./} * 10))
}

pause() { # MILLISECONDS
  local seconds
  if (($1 <= 0)); then return 0; fi
  printf -v seconds '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
  attend silently sleep "$seconds" || true
}

# What outlives us (a signal can come while it is being started) holds nobody's pipes open.
silently() {
  exec "$@" >/dev/null 2>&1
}

# Runs a command so that a signal is answered at once (bash answers between commands), and without our lock: after a
# kill -9 it would hold it as long as it lives.
attend() {
  local code=0
  "$@" <&0 7>&- 8>&- 9>&- &
  CHILD=$!
  wait "$CHILD" || code=$?
  CHILD=
  return "$code"
}

put() { # FILE TEXT [durable]: whole or not at all
  local new=${1%/*}/.new
  if [[ $1 != */* ]]; then new=.$1.new; fi
  printf '%s\n' "$2" >"$new"
  if [[ ${3-} == durable ]]; then sync "$new"; fi
  mv -fT -- "$new" "$1"
  if [[ ${3-} == durable ]]; then sync .; fi
}

link_slot() { # RELEASE. `ln -sfn` removes first and links then; a rename has no moment in between.
  ln -sfnT -- "../releases/$1" "slots/.$SLOT.new"
  mv -fT -- "slots/.$SLOT.new" "slots/$SLOT"
}

linked_release() { # SLOT
  local target
  target=$(readlink -- "slots/$1") || return 0
  printf %s "${target##*/}"
}

last_healthy() { # SLOT
  local id=""
  if [[ -r run/$1.healthy ]]; then read -r id <"run/$1.healthy" || true; fi
  printf %s "$id"
}

first_line() { # FILE
  local line=""
  if [[ -r $1 ]]; then read -r line <"$1" || true; fi
  printf %s "${line:0:300}"
}

# One command, read as a whole before it runs: so the text can also come through stdin.
{
  main "$@"
  exit
}
