# ------------------------------------------------------------------------------------------------- bounded logs
# A part of install-release.sh and local/start-proxy.sh: a guard that lets no log grow without end.
#
# Programs append to their log themselves, so nothing stands between a program and its last words: a guard that is killed
# loses none of them and stops no program. The guard looks once a second and removes the oldest part of what is too
# long, in place: the kernel takes whole blocks off the beginning of the file while programs append (ext4, XFS). Other
# file systems need a copy: what a program writes in these milliseconds is lost, but not what it writes last.

# shorten_log FILE BYTES SIZE: keeps at least the newer half of BYTES.
shorten_log() {
  local surplus=$((($3 - $2 / 2) / 65536 * 65536))
  ((surplus > 0)) || return 0
  fallocate --collapse-range --offset 0 --length "$surplus" -- "$1" 2>/dev/null && return 0
  tail -c "$(($2 / 2))" -- "$1" >"$1.older.new" && mv -f -- "$1.older.new" "$1.older" && : >|"$1"
}

# shorten_logs BYTES FILE...: files that do not exist are ignored.
shorten_logs() {
  local bytes=$1 size file
  shift
  while read -r size file; do
    if ((size > bytes)); then shorten_log "$file" "$bytes" "$size"; fi
  done < <(stat -c '%s %n' -- "$@" 2>/dev/null)
}

# Runs as long as the folder exists. One is enough for a folder.
guard_logs() { # FOLDER BYTES FILE...
  local folder=$1 never lock
  shift
  cd -- "$folder" || return 0
  exec {lock}<.
  flock -n "$lock" || return 0
  exec {never}<> <(:) # nothing comes from there: a pause without a process
  while [[ -d $folder ]]; do
    shorten_logs "$@"
    read -r -t 1 -u "$never" || true
  done
}

# The guard's script: these functions and a call.
guard_script() { # FOLDER BYTES FILE...
  declare -f shorten_log shorten_logs guard_logs
  printf 'guard_logs'
  printf ' %q' "$@"
  printf '\n'
}

# Starts the guard as a process of its own. It inherits nothing. By SERVER_FOLDER local/stop-server.sh finds it.
start_log_guard() { # FOLDER BYTES FILE...
  (
    trap - EXIT ERR TERM INT HUP
    cd -- "$1"
    for descriptor in /proc/self/fd/*; do
      descriptor=${descriptor##*/}
      if ((descriptor > 2)); then exec {descriptor}>&-; fi
    done
    exec setsid env -i PATH="$PATH" LC_ALL=C SERVER_FOLDER="$1" bash -c "$(guard_script "$@")"
  ) </dev/null >/dev/null 2>&1 &
  disown "$!"
}
