#!/usr/bin/env bash
# Ends a web server or proxy of the local platform: stops every process that it started, removes its folder.
# Parameters: PROJECT_FOLDER, and relative to it SERVER_FOLDER; KEEP_FOLDER, where the folder shall stay.
set -Eeuo pipefail

cd "${PROJECT_FOLDER:?}"
: "${SERVER_FOLDER:?}"
[[ -d "$SERVER_FOLDER" ]] || exit 0
SERVER_FOLDER=$(realpath "$SERVER_FOLDER")
# Without a find that can do this (GNU's) nothing would be found, and left running without a word.
find /proc/self -maxdepth 0 -printf ''

# Whatever works inside the folder was started by it; a pid file alone could name a recycled process.
own_processes() {
  local process cwd
  while IFS=' ' read -r -d '' process cwd; do
    [[ "$process" != "/proc/$$" ]] || continue
    case "${cwd% (deleted)}/" in "$SERVER_FOLDER"/*) echo "${process##*/}" ;; *) ;; esac
  done < <(working_directories)
}

# One call for all of them: looked at one by one, they took longer than all else that ends an environment.
working_directories() {
  find /proc/[0-9]*/cwd -maxdepth 0 -printf '%h %l\0' 2>/dev/null || true
}

signal_all() {
  local process
  for process in $(own_processes); do kill "-$1" "$process" 2>/dev/null || true; done
}

signal_all TERM
for ((i = 0; i < 100; i++)); do
  [[ -n "$(own_processes)" ]] || break
  sleep 0.05
done
signal_all KILL
[[ -z "${KEEP_FOLDER:-}" ]] || exit 0
rm --recursive --force "$SERVER_FOLDER"
