#!/usr/bin/env bash
# Ends a web server or proxy of the local platform: stops each process that it started, removes its folder.
# Parameters: PROJECT_FOLDER, and relative to it SERVER_FOLDER; KEEP_FOLDER, to keep the folder.
set -Eeuo pipefail

cd "${PROJECT_FOLDER:?}"
: "${SERVER_FOLDER:?}"
[[ -d "$SERVER_FOLDER" ]] || exit 0
SERVER_FOLDER=$(realpath "$SERVER_FOLDER")
# Fails without GNU's find, instead of silently finding nothing and leaving processes running.
find /proc/self -maxdepth 0 -printf ''

# The processes with a working folder inside the server's folder. (The pid in a file may be recycled.)
server_processes() {
  local process cwd
  while IFS=' ' read -r -d '' process cwd; do
    [[ "$process" != "/proc/$$" ]] || continue
    case "${cwd% (deleted)}/" in "$SERVER_FOLDER"/*) echo "${process##*/}" ;; *) ;; esac
  done < <(working_directories)
}

# One call for all: a call for each process took longer than the rest of the removal of an environment.
working_directories() {
  find /proc/[0-9]*/cwd -maxdepth 0 -printf '%h %l\0' 2>/dev/null || true
}

signal_all() {
  local process
  for process in $(server_processes); do kill "-$1" "$process" 2>/dev/null || true; done
}

signal_all TERM
for ((i = 0; i < 100; i++)); do
  [[ -n "$(server_processes)" ]] || break
  sleep 0.05
done
signal_all KILL
[[ -z "${KEEP_FOLDER:-}" ]] || exit 0
rm --recursive --force "$SERVER_FOLDER"
