#!/usr/bin/env bash
# Runs one hook of a project, a command or a webhook, before or after a phase of a release. A step of the web stack starts
# it where Terraform runs, or `bluegreen` does. The hook's output goes to stderr, each line with the hook's name; the last
# line there is the result for people. Stdout has the result line of every step, as JSON (release/hooks.ts reads it):
# without it the exit code is not 0.
# Parameters (environment): PROJECT_FOLDER, HOOK_NAME, HOOK_WHEN, HOOK_TIMEOUT_SECONDS, HOOK_FACTS_BASE64 (JSON, for stdin), and
# HOOK_COMMAND_BASE64 (arguments), or HOOK_WEBHOOK_BASE64 and optionally HOOK_HEADERS_BASE64 (names and values in turn); in
# lists each text ends with NUL. BLUEGREEN_SKIP_HOOKS: skips all hooks; its value is the reason.
# Exit codes: 0 passed or skipped, and always after a phase; 4 the phase must not start; 5 stopped by a signal; 6 instead
# of 4 and 5 if users already have the new release.
set -Eeuo pipefail
umask 077

: "${PROJECT_FOLDER:?}" "${HOOK_NAME:?}" "${HOOK_WHEN:?}" "${HOOK_TIMEOUT_SECONDS:?}" "${HOOK_FACTS_BASE64:?}"
export -n HOOK_NAME HOOK_WHEN HOOK_TIMEOUT_SECONDS HOOK_FACTS_BASE64 PROJECT_FOLDER
export -n HOOK_COMMAND_BASE64="${HOOK_COMMAND_BASE64:-}" HOOK_WEBHOOK_BASE64="${HOOK_WEBHOOK_BASE64:-}"
export -n HOOK_HEADERS_BASE64="${HOOK_HEADERS_BASE64:-}"

readonly OUTPUT_BYTES=16384 GRACE_SECONDS=5
# curl's exit code for an HTTP error.
readonly NOT_ACCEPTED=22

hook="hook '$HOOK_NAME' $HOOK_WHEN"
# In milliseconds of the monotonic clock.
clock() {
  local up
  read -r up _ </proc/uptime
  echo "$((10#${up/./} * 10))"
}
started=$(clock)
stopped="" reported="" running=""
main=$BASHPID

# Escapes text for a JSON string or an option in curl's file. It must have no control characters.
quoted() {
  local text=${1//\\/\\\\}
  printf '%s' "${text//\"/\\\"}"
}

result() { # result OUTCOME EXIT_CODE SECONDS LAST_LINE REASON: on stderr for people, on stdout as the result line
  printf '%s\n' "$5" >&2
  printf '{"step":"hook","name":"%s","when":"%s","outcome":"%s","exitCode":%d,"seconds":%s,"lastLine":"%s","reason":"%s"}\n' \
    "$HOOK_NAME" "$HOOK_WHEN" "$1" "$2" "$3" "$(quoted "$4")" "$(quoted "$5")"
  reported=yes
}

# shellcheck disable=SC2317 # called by traps
leave() { # leave EXIT_CODE
  local code=$1
  # A child that gets a signal right after its fork still runs its parent's traps.
  ((BASHPID == main)) || exit "$code"
  if [[ -n "${work:-}" ]]; then rm -rf "$work"; fi
  if ((code == 0)) && [[ -z "$reported" ]]; then
    echo "$hook ended without a result: it is not known whether it passed" >&2
    code=1
  fi
  exit "$code"
}
trap 'leave "$?"' EXIT

# Plain lines of text: without colours, bells and cursor movements.
plain() {
  tr -d '\000' | tr '\r\t' '\n ' |
    LC_ALL=C sed -E -e 's/\x1b\[[0-9;?]*[ -\/]*[@-~]//g' -e 's/\xc2[\x80-\x9f]//g' -e 's/[[:cntrl:]]//g' -e '/^ *$/d'
}

elapsed() {
  echo $(($(clock) - started))
}

finish() { # finish EXIT_CODE LAST_LINE
  local milliseconds seconds verdict="passed" note="" last_line=${2:0:300}
  milliseconds=$(elapsed)
  printf -v seconds '%d.%d' $((milliseconds / 1000)) $((milliseconds % 1000 / 100))
  if (($1 != 0)); then
    verdict="failed with exit code $1"
    [[ "$HOOK_WHEN" != after\ * ]] || note=", which stops nothing"
  fi
  result "${verdict%% *}" "$1" "$seconds" "$last_line" "$hook $verdict in $seconds s$note${last_line:+: $last_line}"
  if (($1 == 0)) || [[ "$HOOK_WHEN" == after\ * ]]; then exit 0; fi
  case "$HOOK_WHEN" in
    "before converge" | "before share") exit 6 ;;
    *) if [[ -n "$stopped" ]]; then exit 5; else exit 4; fi ;;
  esac
}

# Sets `value` to its argument; `env:NAME` is replaced by that environment variable's value.
resolve() {
  value=$1
  [[ "$value" == env:* ]] || return 0
  local variable=${value#env:}
  [[ "$variable" =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || finish 2 "$variable is not the name of an environment variable"
  value=$(printenv "$variable") || true
  [[ -n "$value" ]] || finish 2 "the environment variable $variable is not set"
  [[ ! "$value" =~ [[:cntrl:]] ]] || finish 2 "the environment variable $variable contains control characters"
}

decode() {
  base64 --decode <<<"$1"
}

# One line of the file that curl reads its options from: so no secret is on a command line.
curl_option() {
  printf '%s = "%s"\n' "$1" "$(quoted "$2")"
}

if [[ -n "${BLUEGREEN_SKIP_HOOKS:-}" ]]; then
  reason=$(plain <<<"$BLUEGREEN_SKIP_HOOKS")
  reason=${reason%%$'\n'*}
  result skipped 0 0 "${reason:0:300}" "$hook was skipped: ${reason:0:300}"
  exit 0
fi

cd "$PROJECT_FOLDER" || finish 2 "the project's folder does not exist"

command=()
if [[ -n "$HOOK_WEBHOOK_BASE64" ]]; then
  command -v curl >/dev/null || finish 2 "a webhook needs curl, which is not on PATH"
  resolve "$(decode "$HOOK_WEBHOOK_BASE64")"
  address='^(https://[0-9A-Za-z.-]+|http://(127\.0\.0\.1|localhost|\[::1\]))(:[0-9]+)?([/?][!-~]*)?$'
  [[ "$value" =~ $address ]] || finish 2 "the webhook's address must be https://..., or http:// on the loopback address"
  options=$(curl_option url "$value")
  # No proxy for the loopback address.
  [[ "$value" != http://* ]] || options+=$'\n'$(curl_option noproxy "*")
  headers=()
  [[ -z "$HOOK_HEADERS_BASE64" ]] || mapfile -d '' -t headers < <(decode "$HOOK_HEADERS_BASE64")
  for ((index = 0; index < ${#headers[@]}; index += 2)); do
    resolve "${headers[index + 1]}"
    options+=$'\n'$(curl_option header "${headers[index]}: $value")
  done
  # The hook inherits the descriptor. `printf` is a builtin, so its arguments are in no process list.
  exec 3< <(printf '%s\n' "$options")
  command=(curl --disable --config /dev/fd/3 --silent --show-error --globoff --data-binary @- --header
    "content-type: application/json" --user-agent bluegreen)
else
  mapfile -d '' -t command < <(decode "$HOOK_COMMAND_BASE64")
fi

# Signals all processes of the hook, which has a separate session: Ctrl-C goes to Terraform, and arrives here as SIGTERM.
send() {
  [[ -n "$running" ]] || return 0
  kill "-$1" -- "-$running" 2>/dev/null || kill "-$1" "$running" 2>/dev/null || true
}
work=$(mktemp --directory)
decode "$HOOK_FACTS_BASE64" >"$work/facts"
[[ -z "$HOOK_WEBHOOK_BASE64" ]] || command+=(--dump-header "$work/headers")
# From here on a signal ends the hook first, then this script.
trap 'stopped=yes; send TERM' TERM INT HUP
setsid timeout --kill-after="$GRACE_SECONDS" "$HOOK_TIMEOUT_SECONDS" "${command[@]}" \
  <"$work/facts" >"$work/output" 2>&1 &
running=$!
if [[ -n "$stopped" ]]; then send TERM; fi

# Terraform may kill this script without warning, or be killed itself: then the hook must end, too.
(
  while kill -0 "$PPID" && kill -0 $$; do sleep 0.3; done
  send TERM
  for ((tenth = 0; tenth < 10 * GRACE_SECONDS; tenth++)); do
    kill -0 -- "-$running" || break
    sleep 0.1
  done
  send KILL
  rm -rf "$work"
) >/dev/null 2>&1 </dev/null 3<&- &
watcher=$!

exit_code=0
wait "$running" 2>/dev/null || exit_code=$?
while kill -0 "$running" 2>/dev/null; do # a signal ends `wait` early
  exit_code=0
  wait "$running" 2>/dev/null || exit_code=$?
done
trap '' TERM INT HUP # there is nothing left to stop
# Repeated, as a process that was just forked may still have its parent's traps.
while kill "$watcher" 2>/dev/null; do sleep 0.02; done
wait "$watcher" 2>/dev/null || true
# Processes that the hook left behind end with it.
send KILL

# The last line may have no line feed.
{ tail --bytes="$OUTPUT_BYTES" "$work/output" && echo; } | plain >"$work/lines"
sed "s/^/$HOOK_NAME: /" "$work/lines" >&2
last_line=$(tail --lines=1 "$work/lines")
last_line=${last_line#timeout: } # timeout's own message, if there is no such program

if [[ -n "$stopped" ]]; then finish "$((exit_code == 0 ? 143 : exit_code))" "it was stopped"; fi
if ((exit_code == 124 || exit_code == 137)) && (($(elapsed) >= HOOK_TIMEOUT_SECONDS * 1000)); then
  finish "$exit_code" "it did not end within $HOOK_TIMEOUT_SECONDS s${last_line:+; last: $last_line}"
fi
if [[ -n "$HOOK_WEBHOOK_BASE64" ]] && ((exit_code == 0)); then
  status=$(sed -n 's/^HTTP\/[0-9.]* \([0-9]*\).*/\1/p' "$work/headers" | tail --lines=1)
  if [[ "$status" != 2?? ]]; then finish "$NOT_ACCEPTED" "the answer was $status${last_line:+: $last_line}"; fi
fi
finish "$exit_code" "$last_line"
