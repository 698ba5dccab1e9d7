#!/usr/bin/env bash
# Installs the missing ones of PACKAGES (names of Debian packages, separated by blanks). If none is missing, it needs
# neither network nor root. Delivered with the set-up scripts.
set -Eeuo pipefail

fail() { # CODE MESSAGE
  printf 'packages: %s\n' "$2" >&2
  exit "$1"
}

# Installed as a package, or the command is on PATH.
is_there() { # PACKAGE
  local command=$1
  if [[ $command == nodejs ]]; then command=node; fi
  command -v "$command" >/dev/null && return 0
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

find_missing() { # -> MISSING
  local package
  MISSING=()
  for package in $PACKAGES; do
    [[ $package =~ ^[a-z0-9][a-z0-9.+-]{0,99}$ ]] || fail 2 "PACKAGES has \"${package//[^[:print:]]/?}\", which is not the name of a package"
    is_there "$package" || MISSING+=("$package")
  done
}

# In a machine's first minutes, its own set-up holds apt's locks, and the network may not be up yet.
patiently() { # COMMAND...
  local pause
  for pause in 5 10 20 40 60; do
    "$@" && return 0
    sleep "$pause"
  done
  "$@"
}

install_missing() {
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
  local apt=(apt-get -q -y -o DPkg::Lock::Timeout=300)
  patiently "${apt[@]}" update
  patiently "${apt[@]}" --no-install-recommends install "${MISSING[@]}"
}

set -f
: "${PACKAGES:?}"
find_missing
if ((${#MISSING[@]} == 0)); then exit 0; fi
if [[ -n ${SIM_VM_ROOT:-} ]]; then fail 3 "this simulated machine lacks ${MISSING[*]}: install them on your machine"; fi
command -v apt-get >/dev/null || fail 3 "${MISSING[*]} are missing and there is no apt-get: use a Debian or Ubuntu image, or one that has them"
if ((EUID != 0)); then fail 3 "${MISSING[*]} are missing and only root can install them"; fi
install_missing >&2 || fail 1 "apt-get could not install ${MISSING[*]}: can this machine reach its package archive?"
find_missing
((${#MISSING[@]} == 0)) || fail 1 "${MISSING[*]} are still missing after apt-get installed them"
