#!/usr/bin/env bash
# Installs what is missing of PACKAGES (names of Debian packages with blanks between them), and only that: where
# everything is there it needs neither network nor root. Goes along with the set-up scripts.
set -Eeuo pipefail

fail() { # CODE MESSAGE
  printf 'packages: %s\n' "$2" >&2
  exit "$1"
}

# Whoever installed it: a package, or something else that put the command on PATH.
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
    [[ $package =~ ^[a-z0-9][a-z0-9.+-]{0,99}$ ]] || fail 2 "PACKAGES has \"${package//[^[:print:]]/?}\", which is no name of a package"
    is_there "$package" || MISSING+=("$package")
  done
}

# On a machine's first minutes its own set-up holds apt's locks, and the network may not be there yet.
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
if [[ -n ${SIM_VM_ROOT:-} ]]; then fail 3 "this stand-in of a machine lacks ${MISSING[*]}: install them on your own machine"; fi
command -v apt-get >/dev/null || fail 3 "${MISSING[*]} are missing and there is no apt-get: use an image of Debian or Ubuntu, or one that has them"
if ((EUID != 0)); then fail 3 "${MISSING[*]} are missing and only root can install them"; fi
install_missing >&2 || fail 1 "apt-get could not install ${MISSING[*]}: does this machine reach its package archive?"
find_missing
((${#MISSING[@]} == 0)) || fail 1 "${MISSING[*]} are still missing after apt-get installed them"
