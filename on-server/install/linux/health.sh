# ----------------------------------------------------------------------------------------------- start and health
# A part of install-release.sh: starts the release in its slot and waits until it is healthy.

start_instance() { # RELEASE -> INSTANCE (a pid), LOG_START; or 1 and REASON
  local command=() log=logs/$SLOT.log size
  mapfile -t command < <(start_command "$1")
  shorten_logs "$MAX_LOG_BYTES" "$log"
  size=$(stat -c %s -- "$log" 2>/dev/null) || size=0
  LOG_START=$size DIED=0
  give_release "$1"
  if [[ $SERVICE_MANAGER == systemd ]]; then
    start_service "$1" "${command[@]}" || return 1 # no bare "return": in a trap it returns the status from before the trap
    return 0
  fi
  start_process "$1" "${command[@]}" >>"$log" 2>&1 &
  INSTANCE=$!
  disown "$INSTANCE" # bash must neither wait for it nor report its end
  put "run/$SLOT.pid" "$INSTANCE"
  start_log_guard "$SERVER_FOLDER" "$MAX_LOG_BYTES" logs/blue.log logs/green.log
}

# Runs in a subshell, which becomes the instance: separate session, known environment, no inherited descriptors. An
# inherited lock would outlive this script; an inherited pipe would keep the Terraform step waiting for ever.
start_process() { # RELEASE COMMAND...
  local descriptor home start=(exec)
  home=$(home_of_instances)
  if [[ -n $SERVICE_USER ]]; then start=(as_account "$SERVICE_USER" "$SERVICE_GROUP"); fi
  trap - EXIT ERR TERM INT HUP QUIT
  cd -- "releases/$1"
  shift
  for descriptor in /proc/self/fd/*; do
    descriptor=${descriptor##*/}
    if ((descriptor > 2)); then exec {descriptor}>&-; fi
  done
  "${start[@]}" setsid env -i PATH="$PATH" HOME="$home" LANG="${LANG:-C.UTF-8}" HOST="$HOST" PORT="$PORT" \
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
      REASON="$HEALTH_PATH gave $good good answers in a row, and $HEALTH_SUCCESSES are required"
      rest=$INTERVAL_MS
    else
      good=0
      # The deadline ended this probe early: the reason of the one before it is better.
      if ((CUT_SHORT)) && [[ $before != "no answer" ]]; then REASON=$before; fi
      # Nothing listens yet: a probe costs nothing, and most applications start quickly.
      rest=$((NOT_LISTENING && INTERVAL_MS > 100 ? 100 : INTERVAL_MS))
    fi
    clock
    pause $((rest < end - NOW ? rest : end - NOW))
  done
}

# One request: checks the status and the release that answers. Redirects are not followed.
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
    REASON="$HEALTH_PATH reports release \"${seen[*]:0:3}\" in $RELEASE_HEADER, expected \"$1\""
    return 1
  fi
  IFS= read -r -N $((MAX_ANSWER_KIB * 1024)) body <"$WORK/body" 2>/dev/null || true
  [[ $body =~ (^|[^0-9A-Za-z._-])"$1"($|[^0-9A-Za-z._-]|\.($|[^0-9A-Za-z])) ]] && return 0
  REASON="the body of $HEALTH_PATH does not name release \"$1\" (it begins \"${body:0:60}\")"
  return 1
}

request() { # MILLISECONDS
  local options=() limit
  if [[ -n $HEALTH_HOST ]]; then options=(-H "Host: $HEALTH_HOST"); fi
  if [[ $HEALTH_PROTOCOL == http2 ]]; then options+=(--http2-prior-knowledge); fi
  printf -v limit '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
  trap '' XFSZ
  ulimit -f "$MAX_ANSWER_KIB"
  exec curl -q -g -sS --noproxy '*' --proto '=http' --path-as-is --max-time "$limit" -A bluegreen-install "${options[@]}" \
    -D "$WORK/headers" -o "$WORK/body" "http://$PROBE_HOST:$PORT$HEALTH_PATH"
}

show_log() { # the last lines since this start
  local text size
  size=$(stat -c %s -- "logs/$SLOT.log" 2>/dev/null) || size=0
  if ((size < LOG_START)); then LOG_START=0; fi # shortened since: all of it is new
  text=$(tail -c "+$((LOG_START + 1))" -- "logs/$SLOT.log" 2>/dev/null | tail -n 5 | tail -c 1000 | tr -d '\000-\011\013-\037\177-\377') || true
  [[ -n $text ]] || return 0
  printf 'log: %s\n' "${text//$'\n'/$'\n'log: }" >&2
}
