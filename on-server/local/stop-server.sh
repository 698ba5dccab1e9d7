#!/usr/bin/env bash
# Ends a web server or proxy of the local platform: stops each process that it started, removes its folder.
# Parameters: PROJECT_FOLDER, and relative to it SERVER_FOLDER; KEEP_FOLDER, to keep the folder.
set -Eeuo pipefail

#include "../chosen-environment.sh"
drop_habits

cd "${PROJECT_FOLDER:?}"
: "${SERVER_FOLDER:?}"
[[ -d "$SERVER_FOLDER" ]] || exit 0
as_given=$SERVER_FOLDER
SERVER_FOLDER=$(realpath "$SERVER_FOLDER")
# Fails without GNU's find, instead of silently finding nothing and leaving processes running.
find /proc/self -maxdepth 0 -printf ''

# Which processes are the server's. A person's shell or program in its folder is not.
#
# * An instance has the server's folder in its environment, wherever it works.
# * A step or a proxy has it there as the parameter SERVER_FOLDER, and works in the folder.
# * NGINX overwrites its environment with its title. It works in the folder.
# * So is every process of a session that one of these leads.
server_processes() {
  {
    marked "BLUEGREEN_SERVER_FOLDER=$SERVER_FOLDER" | sed 's/^/marked /'
    { marked "SERVER_FOLDER=$as_given" "SERVER_FOLDER=$SERVER_FOLDER"; nginx_processes; } | sed 's/^/here /'
    # After the name, which may have blanks and parentheses, come the state, the parent, the group and the session.
    cat /proc/[0-9]*/stat 2>/dev/null | sed -n 's/^\([0-9]*\) (.*) [A-Za-z] [0-9]* [0-9]* \([0-9]*\) .*/session \1 \2/p'
    inside | sed 's/^/inside /'
  } | awk -v self="$$" '
    $1 == "inside" { inside[$2] = 1 }
    $1 == "marked" { ours[$2] = 1 }
    $1 == "here" { here[$2] = 1 }
    $1 == "session" { session[$2] = $3 }
    END {
      for (pid in here) if (pid in inside) ours[pid] = 1
      for (pid in session) if (session[pid] in ours) led[pid] = 1
      for (pid in led) ours[pid] = 1
      for (pid in ours) if (pid != self) print pid
    }'
}

# The processes that were started with one of these variables.
marked() { # NAME=VALUE...
  local options=() variable
  for variable in "$@"; do options+=(-e "$variable"); done
  { grep -lzxF "${options[@]}" /proc/[0-9]*/environ 2>/dev/null || true; } | sed 's|[^0-9]||g'
}

nginx_processes() {
  { grep -lx nginx /proc/[0-9]*/comm 2>/dev/null || true; } | sed 's|[^0-9]||g'
}

# The processes with a working folder inside the server's folder. One call for all: a call for each process took longer
# than the rest of the removal of an environment.
inside() {
  local process cwd
  while IFS=' ' read -r -d '' process cwd; do
    case "${cwd% (deleted)}/" in "$SERVER_FOLDER"/*) echo "${process##*/}" ;; *) ;; esac
  done < <(find /proc/[0-9]*/cwd -maxdepth 0 -printf '%h %l\0' 2>/dev/null || true)
}

signal_all() {
  local process
  for process in $(server_processes); do kill "-$1" "$process" 2>/dev/null || true; done
}

signal_all TERM
# Five seconds, by the monotonic clock.
hundredths() {
  local up
  read -r up _ </proc/uptime
  printf %s "$((10#${up/./}))"
}
end=$(($(hundredths) + 500))
while [[ -n "$(server_processes)" ]] && (($(hundredths) < end)); do sleep 0.05; done
signal_all KILL
[[ -z "${KEEP_FOLDER:-}" ]] || exit 0
rm --recursive --force "$SERVER_FOLDER"
