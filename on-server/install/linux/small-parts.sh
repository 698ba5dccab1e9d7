# ----------------------------------------------------------------------------------------------------- small parts
# A part of install-release.sh: the clock, commands that a signal can interrupt, atomic writes.

clock() { # -> NOW: milliseconds of the monotonic clock
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

# Without inherited pipes: the command may outlive this script, if a signal arrives while it starts.
silently() {
  exec "$@" >/dev/null 2>&1
}

# Runs a command in the background, so that a trap runs at once and not after the command. The command does not inherit
# the lock: after a kill -9 of this script, it would keep it.
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

link_slot() { # RELEASE. A rename is atomic; `ln -sfn` removes the link first.
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
