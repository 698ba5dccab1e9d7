# ----------------------------------------------------------------------------- instances: the processes of a slot
# A part of install-release.sh: finds the processes of a slot, and stops them.

# read_instance PID -> OF: the environment that the process was started with. It identifies an instance, so a recycled
# pid is never mistaken for one.
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

# Sends SIGTERM to the main process first (it may stop its workers itself), then to what it left behind; SIGKILL after
# STOP_SECONDS. Returns 1 if something survives.
stop_slot() {
  local pid main="" signalled_all=0 killed=0 wait_ms=20 end
  apply_stop_limit || true
  if [[ $SERVICE_MANAGER == systemd && -e $(unit_file) ]]; then
    attend systemctl stop "$(unit)" || true # processes that it leaves are found below
  fi
  find_instances
  if ((${#INSTANCES[@]})); then
    if [[ -r run/$SLOT.pid ]]; then read -r main <"run/$SLOT.pid" || true; fi
    if [[ " ${INSTANCES[*]} " != *" $main "* ]]; then main=; fi
    if [[ -n $main ]]; then kill -TERM "$main" 2>/dev/null || true; fi
    clock && end=$((NOW + STOP_MS))
    while ((${#INSTANCES[@]})); do
      if ((!signalled_all)) && [[ -z $main || " ${INSTANCES[*]} " != *" $main "* ]]; then
        kill -TERM "${INSTANCES[@]}" 2>/dev/null || true
        signalled_all=1
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
      if ((!${#INSTANCES[@]})); then find_instances; fi # started meanwhile
    done
  fi
  rm -f -- "run/$SLOT.pid"
  ((!${#INSTANCES[@]}))
}

# Whether the slot already runs the release, with the same parameters: then it is not touched. It may still be starting
# (in the second run after a crash), so it gets a third of the deadline.
already_healthy() {
  local pid
  PHASE="checking what runs in slot $SLOT"
  find_instances
  ((${#INSTANCES[@]})) || return 1
  for pid in "${INSTANCES[@]}"; do
    is_instance "$pid" || return 1
    [[ ${OF[BLUEGREEN_RELEASE_ID]-} == "$RELEASE_ID" && ${OF[HOST]-} == "$HOST" && ${OF[PORT]-} == "$PORT" &&
      ${OF[DATA_FOLDER]-} == "$DATA_FOLDER" ]] || return 1
  done
  [[ $(linked_release "$SLOT") == "$RELEASE_ID" && $(start_command "$RELEASE_ID") == "$START_COMMAND" ]] || return 1
  INSTANCE=${INSTANCES[0]}
  apply_stop_limit
  wait_healthy "$RELEASE_ID" $((DEADLINE_MS / 3))
}

instance_has_port() {
  local pid
  for pid in "${INSTANCES[@]}"; do
    if is_instance "$pid" && [[ ${OF[PORT]-} == "$PORT" && ${OF[HOST]-} == "$HOST" ]]; then return 0; fi
  done
  return 1
}
