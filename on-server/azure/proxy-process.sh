#!/usr/bin/env bash
# HAProxy's process on a proxy: query, start and reload it. Sourced by setup-proxy.sh and fetch-certificate.sh, which run
# in the proxy's folder. The master runs as root and reads configuration and key; its workers serve as the user haproxy.
# A compromised worker can neither change what root runs nor use the admin socket.
# Parameters: SERVICE_MANAGER (process, systemd, or auto: systemd if it runs), SYSTEMD_FOLDER.

SERVICE_MANAGER=${SERVICE_MANAGER:-auto}
SYSTEMD_FOLDER=${SYSTEMD_FOLDER:-/etc/systemd/system}
if [[ $SERVICE_MANAGER == auto ]]; then
  SERVICE_MANAGER=process
  if [[ -d /run/systemd/system && -z ${SIM_VM_ROOT:-} ]]; then SERVICE_MANAGER=systemd; fi
fi
readonly PROXY_UNIT=bluegreen-proxy.service ARRIVAL_UNIT=bluegreen-arrival.service
# HAProxy soon allocates again what it frees at the end of its heap, at a page fault each: so it keeps 64 MiB.
readonly KEPT_HEAP=MALLOC_TRIM_THRESHOLD_=67108864

#include "../uptime.sh"

# One command on stdin -> HAProxy's answer, or 1.
ask_haproxy() {
  node -e '
    const socket = require("net").connect("admin.sock");
    const fail = (error) => { console.error("haproxy: " + error.message); process.exit(1); };
    socket.setTimeout(5000, () => fail(new Error("no answer on admin.sock"))).on("error", fail);
    socket.pipe(process.stdout);
    socket.write(require("fs").readFileSync(0));'
}

# The pid of the worker that serves; empty if there is none. (The master keeps its pid over a reload.)
serving_worker() {
  [[ -S admin.sock ]] || return 0
  printf 'show info\n' | ask_haproxy 2>/dev/null | sed -n 's/^Pid: //p' || true
}

# HAProxy finds its files relative to the folder, as the director does.
haproxy_arguments() { # -> ARGUMENTS
  ARGUMENTS=(-W -f haproxy.cfg)
  if [[ $SERVICE_MANAGER == systemd ]]; then ARGUMENTS[0]=-Ws; fi
  if [[ -e user.cfg ]]; then ARGUMENTS+=(-f user.cfg); fi
  ARGUMENTS+=(-p haproxy.pid)
}

start_proxy() {
  local tries
  if [[ $SERVICE_MANAGER == systemd ]]; then
    systemctl enable --quiet "$PROXY_UNIT"
    systemctl restart "$PROXY_UNIT" || return 1
  else
    haproxy_arguments
    bash proxy-arrival.sh not-ready || true
    setsid env "$KEPT_HEAP" haproxy "${ARGUMENTS[@]}" >proxy.log 2>&1 </dev/null 8>&- 9>&- &
    disown
  fi
  for ((tries = 0; tries < 100; tries++)); do
    if [[ -n $(serving_worker) ]]; then return 0; fi
    if [[ $SERVICE_MANAGER == process ]] && ! kill -0 "$!" 2>/dev/null; then return 1; fi
    sleep 0.1
  done
  return 1
}

# The unit does it after each start; without systemd, setup-proxy.sh does. It ends by itself.
start_arrival() {
  if [[ $SERVICE_MANAGER == systemd ]]; then
    systemctl restart "$ARRIVAL_UNIT"
  else
    setsid bash proxy-arrival.sh arrive >>proxy.log 2>&1 </dev/null 8>&- 9>&- &
    disown
  fi
}

# The new worker takes over the listening sockets, the old one finishes its requests. Returns 1 if no new one started:
# then the old one still serves.
reload_proxy() {
  local before now tries
  before=$(serving_worker)
  if [[ $SERVICE_MANAGER == systemd ]]; then
    systemctl reload "$PROXY_UNIT" || return 1
  else
    kill -USR2 "$(<haproxy.pid)" || return 1
  fi
  for ((tries = 0; tries < 60; tries++)); do
    now=$(serving_worker)
    if [[ -n $now && $now != "$before" ]]; then return 0; fi
    sleep 0.1
  done
  return 1
}

# HAProxy's last alerts.
proxy_alerts() {
  if [[ $SERVICE_MANAGER == systemd ]]; then
    journalctl --quiet --no-pager --output cat --lines 30 --unit "$PROXY_UNIT"
  else
    tail -n 30 proxy.log
  fi 2>/dev/null | grep -F '[ALERT]' | tail -n 5 || true
}
