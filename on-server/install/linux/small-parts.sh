# ----------------------------------------------------------------------------------------------------- small parts
# A part of install-release.sh: the clock, commands that a signal can interrupt, atomic writes.

clock() { # -> NOW: milliseconds of the monotonic clock
  local up
  read -r up _ </proc/uptime
  NOW=$((10#${up/./} * 10))
}

# The time left until the old release may be stopped. The lock, the token, the download and the unpacking share it.
preparation_left() { # -> LEFT: milliseconds, at least 0
  clock && LEFT=$((STARTED_AT + PREPARE_SECONDS * 1000 - NOW))
  ((LEFT > 0)) || LEFT=0
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
  # Also where the caller handles the failure, which turns `set -e` off: half a text must not replace a whole one.
  printf '%s\n' "$2" >"$new" || return 1
  if [[ ${3-} == durable ]]; then sync "$new" || return 1; fi
  mv -fT -- "$new" "$1" || return 1
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

# The command of a release in this slot. The other slot may run the same release with another command.
start_command() { # RELEASE
  local file=releases/$1/.start-$SLOT
  if [[ ! -e $file ]]; then file=releases/$1/.start; fi
  printf '%s\n' "$(<"$file")"
}

last_healthy() { # SLOT
  local id=""
  if [[ -r run/$1.healthy ]]; then read -r id <"run/$1.healthy" || true; fi
  printf %s "$id"
}

reason_in() { # FILE: a tool's output, which is empty if it could not be written
  local line
  line=$(first_line "$1")
  printf %s "${line:-no reason given, $(free_bytes) bytes are free on the disk}"
}

free_bytes() { # on the server folder's disk, for this user
  local blocks=0 size=0
  read -r blocks size < <(stat -f -c '%a %S' -- . 2>/dev/null) || true
  printf %s $((blocks * size))
}

first_line() { # FILE
  local line=""
  if [[ -r $1 ]]; then read -r line <"$1" || true; fi
  printf %s "${line:0:300}"
}
