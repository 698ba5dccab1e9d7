#!/usr/bin/env bash
# Starts a proxy of the local platform; stop-server.sh ends it. The director writes its configuration. HAProxy and the
# embedded proxy are restarted if they are killed, as systemd does on a server; NGINX's workers survive their master.
# Parameters: PROJECT_FOLDER, relative to it SERVER_FOLDER, DIRECTOR_SPEC, PROXY_DRIVER (haproxy, nginx or embedded),
# PROXY_ADDRESS (host:port), PROXY_BUNDLE (the embedded proxy's program), SERVICE_USER (the account that root's HAProxy, and
# the workers of root's NGINX, run as; default: haproxy, www-data or nginx, if there is one).
set -Eeuo pipefail
umask 027

#include "../chosen-environment.sh"
drop_habits
#include "../bounded-logs.sh"

readonly MAX_LOG_BYTES=10485760
: "${PROJECT_FOLDER:?}" "${SERVER_FOLDER:?}" "${DIRECTOR_SPEC:?}" "${PROXY_DRIVER:?}" "${PROXY_ADDRESS:?}" "${PROXY_BUNDLE:?}"
PROXY_BUNDLE=$(realpath "$PROXY_BUNDLE")
cd "$PROJECT_FOLDER/$SERVER_FOLDER"

# Debian has it in /usr/sbin, which is not on every user's PATH.
PATH="$PATH:/usr/sbin:/usr/local/sbin"
if [[ "$PROXY_DRIVER" != embedded ]] && ! command -v "$PROXY_DRIVER" >/dev/null; then
  echo "$PROXY_DRIVER is not installed: install it, or set proxies.driver to \"embedded\" in the environment file" >&2
  exit 3
fi

if (exec 3<>"/dev/tcp/${PROXY_ADDRESS%:*}/${PROXY_ADDRESS##*:}") 2>/dev/null; then
  echo "$PROXY_ADDRESS is in use by another program: stop it, or choose another platform.portBase in the environment file" >&2
  exit 3
fi

#include "../uptime.sh"
#include "../arrival.sh"
#include "../account.sh"

# shellcheck disable=SC2317 # another shell runs it: see start
# keep_running PROGRAM ARGUMENT...: restarts it until it succeeds or this shell gets a signal.
keep_running() {
  local running="" arriving="" exit_code
  trap 'kill -TERM "$running" "$arriving" 2>/dev/null; exit 0' TERM INT HUP
  while true; do
    not_ready
    "$@" &
    running=$!
    arrive &
    arriving=$!
    exit_code=0
    wait "$running" || exit_code=$?
    kill -TERM "$arriving" 2>/dev/null || true
    if ((exit_code == 0 || exit_code == 143)); then return 0; fi
    echo "the proxy ended with exit code $exit_code, starting it again"
    sleep 0.2
  done
}

readonly ARRIVAL=(not_ready arrive serve_uncompared announce_ready uptime_seconds)

start() { # PROGRAM ARGUMENT...
  setsid bash -c "$(declare -f keep_running "${ARRIVAL[@]}"); keep_running \"\$@\"" bash "$@" >>proxy.log 2>&1 </dev/null &
  started=$!
}

# NGINX's own log of answers is not here: the director reads and empties it.
start_log_guard "$PWD" "$MAX_LOG_BYTES" proxy.log status.log nginx-error.log

# The first account that exists. Root serves only if it was chosen, or if there is no other.
service_group() { # -> ACCOUNT, GROUP; or 1
  ((EUID == 0)) || return 1
  for ACCOUNT in "$@"; do
    GROUP=$(id -gn -- "$ACCOUNT" 2>/dev/null) && return 0
  done
  return 1
}

if [[ -n ${SERVICE_USER:-} ]] && ! id -- "$SERVICE_USER" >/dev/null 2>&1; then
  echo "there is no account $SERVICE_USER (platform.user): create it, or name another one" >&2
  exit 3
fi
USER_FILES=()
case "$PROXY_DRIVER" in
  haproxy)
    if service_group "${SERVICE_USER:-haproxy}"; then
      printf 'global\n  user %s\n  group %s\n' "$ACCOUNT" "$GROUP" >user.cfg
      USER_FILES=(-f user.cfg)
    fi
    ;;
  nginx)
    # The director makes the account with this group the workers' one: they look at files here.
    if service_group ${SERVICE_USER:+"$SERVICE_USER"} www-data nginx; then
      folder=$(pwd -P)
      chgrp -- "$GROUP" .
      chmod g=x .
      let_through "${folder%/*}" "${folder%/"$SERVER_FOLDER"}" "$GROUP"
    fi
    ;;
  *) ;;
esac

# A proxy that was killed leaves its socket behind.
rm --force admin.sock
node director.js configure --spec env:DIRECTOR_SPEC
case "$PROXY_DRIVER" in
  haproxy)
    haproxy -c -f haproxy.cfg "${USER_FILES[@]}" >check.log 2>&1 || {
      grep --fixed-strings ALERT check.log >&2
      exit 1
    }
    # As on a server: HAProxy soon allocates again what it frees at the end of its heap.
    export MALLOC_TRIM_THRESHOLD_=67108864
    start haproxy -db -f haproxy.cfg "${USER_FILES[@]}"
    ;;
  nginx)
    nginx -t -q -p "$PWD/" -c nginx.conf 2>check.log || {
      grep --fixed-strings '[emerg]' check.log >&2
      exit 1
    }
    # NGINX finds its files relative to the folder, as the director does.
    not_ready
    setsid nginx -p "$PWD/" -c nginx.conf >>proxy.log 2>&1 </dev/null || {
      tail -n 3 proxy.log >&2
      exit 1
    }
    setsid bash -c "$(declare -f "${ARRIVAL[@]}"); arrive" bash >>proxy.log 2>&1 </dev/null &
    ;;
  *)
    cp "$PROXY_BUNDLE" embedded-proxy.js
    start node embedded-proxy.js
    ;;
esac

for ((i = 0; i < 100; i++)); do
  if [[ -S admin.sock ]] && node director.js status --spec env:DIRECTOR_SPEC >/dev/null 2>status.log; then exit 0; fi
  sleep 0.05
done
[[ -z "${started:-}" ]] || kill -TERM "$started" 2>/dev/null || true
echo "the proxy did not start: $(tail -n 2 proxy.log status.log 2>/dev/null | tr '\n' ' ')" >&2
exit 1
