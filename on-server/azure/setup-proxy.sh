#!/usr/bin/env bash
# Sets this machine up as a proxy, or updates it: packages, the director, HAProxy with the configuration that the
# director writes, the certificate. Can be run again at any time: if the configuration changed, HAProxy reloads without
# losing a request; if HAProxy rejects it, it keeps the old one. It never changes the traffic, which belongs to releases.
#
# Delivered with director.js, install-packages.sh, proxy-process.sh, proxy-arrival.sh and fetch-certificate.sh.
# Parameters (environment): SERVER_FOLDER, SERVER_NAME, DIRECTOR_SPEC (base64 JSON), PACKAGES, LOCK_SECONDS (60),
# CERTIFICATE_RETRY_SECONDS (60); TLS_CERTIFICATE, KEY_VAULT_HOST, IDENTITY, IMDS_ENDPOINT as in fetch-certificate.sh;
# SERVICE_MANAGER and SYSTEMD_FOLDER as in proxy-process.sh; COMMAND_FOLDER (/usr/local/bin).
# Exit codes: 0 done; 1 failed; 2 bad input; 3 refused (too old, port taken, a release is running).
set -Eeuo pipefail
umask 027
export PATH="${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

fail() { # CODE MESSAGE
  printf 'setup: %s\n' "${2//[^[:print:]]/?}" >&2
  exit "$1"
}

main() {
  : "${SERVER_FOLDER:?}" "${SERVER_NAME:?}" "${DIRECTOR_SPEC:?}"
  [[ $DIRECTOR_SPEC =~ ^[0-9A-Za-z+/]+={0,2}$ ]] || fail 2 "DIRECTOR_SPEC is not base64"
  export DIRECTOR_SPEC
  [[ ${LOCK_SECONDS:=60} =~ ^[0-9]{1,4}$ ]] || fail 2 "LOCK_SECONDS must be whole seconds"
  cd -P -- "$SERVER_FOLDER"
  PACKAGES="${PACKAGES:-haproxy nodejs curl openssl}" bash files/install-packages.sh
  at_least haproxy 2 4 "$(haproxy -v 2>&1 | head -n 1)"
  at_least node 18 0 "$(node --version)"

  install_file proxy-process.sh
  install_file proxy-arrival.sh
  install_file fetch-certificate.sh
  # shellcheck source=on-server/azure/proxy-process.sh
  . files/proxy-process.sh
  read_spec
  provide_certificate
  stage
  mark_arrival
  bring_up
  install_file director.js
  mv -fT -- .staging/spec.json spec.json
  install_command
  wait_for_director
  # When HAProxy was started, the director was not there yet.
  if [[ $DONE == started || -e not-ready ]]; then start_arrival; fi
  if [[ -n $CERTIFICATE_FILE ]]; then start_timer; fi
  printf '%s is a proxy on %s: %s\n' "$SERVER_NAME" "${PLACES[*]}" "$DONE"
  printf '{"step":"setup-proxy","outcome":"ready"}\n'
}

at_least() { # COMMAND MAJOR MINOR VERSION_OUTPUT
  [[ $4 =~ ([0-9]+)\.([0-9]+) ]] || fail 1 "$1 printed \"${4:0:100}\" instead of its version"
  ((BASH_REMATCH[1] > $2 || (BASH_REMATCH[1] == $2 && BASH_REMATCH[2] >= $3))) ||
    fail 3 "$1 is ${BASH_REMATCH[0]} but must be at least $2.$3: use a newer image (Debian 12, Ubuntu 24.04)"
}

install_file() { # NAME: whole or not at all
  cp -- "files/$1" ".$1.new"
  mv -fT -- ".$1.new" "$1"
}

# For an operator on this machine, who may have nothing else (docs/break-glass.md). The director reads the key and the
# socket, so it runs as root.
install_command() {
  local folder=${COMMAND_FOLDER:-${SIM_VM_ROOT:-}/usr/local/bin}
  mkdir -p -- "$folder"
  {
    printf '#!/usr/bin/env bash\n'
    printf '# Written by setup-proxy.sh: the director of %s, without the parameters that Terraform gives it.\n' "$SERVER_NAME"
    printf 'FOLDER=%q OWNER=%q\n' "$PWD" "$EUID"
    cat <<'TEXT'
export PATH="${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
case "${1:-}" in
rollback | drain | status) ;;
*)
  printf 'usage: bluegreen-director rollback --reason "<why>", bluegreen-director drain <server> [--end | --now], or bluegreen-director status\n' >&2
  exit 2
  ;;
esac
if ((EUID != OWNER)); then exec sudo -- "$0" "$@"; fi
exec node "$FOLDER/director.js" "$@" --folder "$FOLDER"
TEXT
  } >"$folder/.bluegreen-director.new"
  chmod 755 "$folder/.bluegreen-director.new"
  mv -fT -- "$folder/.bluegreen-director.new" "$folder/bluegreen-director"
}

# -> PLACES (host:port for users), CERTIFICATE_FILE (empty without TLS)
read_spec() {
  local facts
  # shellcheck disable=SC2016
  facts=$(node -e '
    const { host, port, tls } = JSON.parse(Buffer.from(process.env.DIRECTOR_SPEC, "base64")).proxy;
    console.log([tls?.certificate ?? "", `${host}:${port}`, ...(tls ? [`${host}:${tls.port}`] : [])].join("\n"));
  ' 2>/dev/null) || fail 2 "DIRECTOR_SPEC names no proxy"
  mapfile -t PLACES <<<"$facts"
  CERTIFICATE_FILE=${PLACES[0]}
  PLACES=("${PLACES[@]:1}")
}

# HAProxy does not start without a certificate, so an old one is better than none.
provide_certificate() {
  [[ -n $CERTIFICATE_FILE ]] || return 0
  export CERTIFICATE_FILE SERVER_FOLDER SERVICE_MANAGER SYSTEMD_FOLDER
  local code=0
  PLACEHOLDER=1 RETRY_SECONDS="${CERTIFICATE_RETRY_SECONDS:-60}" bash fetch-certificate.sh || code=$?
  ((code != 2)) || exit 2
  [[ -e $CERTIFICATE_FILE ]] || fail 1 "there is no certificate, and none could be created"
}

# The director writes the new configuration beside the running one, and HAProxy checks it there.
stage() {
  local file
  mkdir -p -- .staging
  rm -f -- .staging/announced-sequence .staging/haproxy.cfg .staging/traffic.*
  for file in traffic.map traffic.servers; do
    if [[ -e $file ]]; then cp -- "$file" .staging/; fi
  done
  configure_staged
  [[ -e .staging/haproxy.cfg ]] || fail 2 "DIRECTOR_SPEC is not for HAProxy"
  # Only the first map, or one of version 0.1, is written here. After that only the director writes it.
  grep -qs '^;live=' traffic.map || cp -- .staging/traffic.map traffic.map
  # HAProxy does not load a configuration whose map is missing. Only the director changes them.
  for file in health.map traffic.tokens; do
    if [[ -e .staging/$file && ! -e $file ]]; then cp -- ".staging/$file" "$file"; fi
  done
  if ((EUID == 0)) && id haproxy >/dev/null 2>&1; then
    printf '# Written by setup-proxy.sh.\nglobal\n  user haproxy\n  group haproxy\n' >user.cfg
  fi
  haproxy -c -f .staging/haproxy.cfg >.staging/output 2>&1 || {
    grep -F ALERT .staging/output >&2 || true
    fail 1 "HAProxy rejects the new configuration, $(if [[ -n $(serving_worker) ]]; then echo "the old one still serves"; else echo "nothing was started"; fi)"
  }
}

# The director's mark that there are other proxies to compare with. It changes the number in it.
mark_arrival() {
  if [[ ! -e .staging/announced-sequence ]]; then
    rm -f -- announced-sequence
  elif [[ ! -e announced-sequence ]]; then
    cp -- .staging/announced-sequence announced-sequence
  fi
}

configure_staged() {
  node files/director.js configure --spec env:DIRECTOR_SPEC --folder .staging >/dev/null || exit "$?"
}

# The new configuration may have other ports for the servers that are out of rotation, and other tokens.
renew_servers() {
  if [[ ! -e traffic.servers ]]; then return 0; fi
  cp -- traffic.servers previous.servers
  cp -- traffic.map traffic.servers .staging/
  configure_staged
  mv -fT -- .staging/traffic.servers traffic.servers
  if [[ -e .staging/traffic.tokens ]]; then mv -fT -- .staging/traffic.tokens traffic.tokens; fi
}

# loaded.cfg is what the running HAProxy has loaded: it stays old if a run ends between installing and reloading.
bring_up() {
  local running
  running=$(serving_worker)
  write_unit
  if [[ -n $running ]] && cmp -s .staging/haproxy.cfg loaded.cfg; then
    DONE="nothing changed"
    return 0
  fi
  # A reload while the director moves traffic could lose its change.
  exec 8>>director.lock
  flock -w "$LOCK_SECONDS" 8 ||
    fail 3 "a release is running on this proxy ($(cat director.lock.holder 2>/dev/null || true)): deploy base again after it ends"
  if [[ -e haproxy.cfg ]]; then cp -- haproxy.cfg previous.cfg; fi
  renew_servers
  mv -fT -- .staging/haproxy.cfg haproxy.cfg
  if [[ -n $running ]]; then change_running; else start_stopped; fi
  cp -- haproxy.cfg .loaded.cfg.new
  mv -fT -- .loaded.cfg.new loaded.cfg
  exec 8>&-
}

start_stopped() {
  local place
  if [[ $SERVICE_MANAGER == systemd ]]; then
    systemctl disable --quiet --now haproxy.service 2>/dev/null || true # the distribution's unit, not ours
    systemctl stop "$PROXY_UNIT" 2>/dev/null || true
  elif [[ -e haproxy.pid ]] && is_ours "$(<haproxy.pid)"; then
    kill -KILL "$(<haproxy.pid)" 2>/dev/null || true # a master without a worker
  fi
  # HAProxy would not refuse: it shares a port with another HAProxy.
  for place in "${PLACES[@]}"; do
    if port_accepts "${place%:*}" "${place##*:}"; then fail 3 "$place is in use by another program: stop it, then deploy base again"; fi
  done
  if ! start_proxy; then
    proxy_alerts >&2
    fail 1 "HAProxy did not start"
  fi
  DONE="started"
}

change_running() {
  keep_traffic
  if reload_proxy; then
    DONE="reloaded with a new configuration"
    return 0
  fi
  proxy_alerts >&2
  [[ -e previous.cfg ]] || fail 1 "HAProxy did not load the new configuration, the old process still serves"
  mv -fT -- previous.cfg haproxy.cfg
  if [[ -e previous.servers ]]; then mv -fT -- previous.servers traffic.servers; fi
  reload_proxy || true # the master does not retry by itself after a failure
  fail 1 "HAProxy did not load the new configuration, the old one still serves"
}

# A new worker reads the map from disk. The director updates HAProxy first, then the file, and can be killed in between.
keep_traffic() {
  printf 'show map traffic.map\n' | ask_haproxy | awk '/^0x/ { print $2, $3 }' >.traffic.map.new || true
  # One line for each of a hundred buckets, one for the value, and one or two more.
  if (($(wc -l <.traffic.map.new) > 101)) && ! cmp -s .traffic.map.new traffic.map; then mv -fT -- .traffic.map.new traffic.map; fi
  rm -f -- .traffic.map.new
}

is_ours() { # PID
  [[ $(readlink "/proc/$1/cwd" 2>/dev/null) == "$PWD" && $(cat "/proc/$1/comm" 2>/dev/null) == haproxy ]]
}

port_accepts() { # HOST PORT
  local host=$1
  if [[ $host == 0.0.0.0 || $host == '*' ]]; then host=127.0.0.1; fi
  # shellcheck disable=SC2016
  timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$host" "$2" 2>/dev/null
}

wait_for_director() {
  local end=$(($(uptime_seconds) + 60))
  until node director.js status --spec env:DIRECTOR_SPEC --folder . >/dev/null 2>.staging/status; do
    (($(uptime_seconds) < end)) || fail 1 "the director cannot reach HAProxy: $(tail -n 1 .staging/status)"
    sleep 0.2
  done
}

# -------------------------------------------------------------------------------------------------------- systemd

write_unit() {
  local bash
  [[ $SERVICE_MANAGER == systemd ]] || return 0
  bash=$(command -v bash)
  haproxy_arguments
  unit_file "$PROXY_UNIT" <<TEXT
[Unit]
Description=HAProxy of $SERVER_NAME
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
WorkingDirectory=$PWD
Environment=$KEPT_HEAP
ExecStartPre=-$bash $PWD/proxy-arrival.sh not-ready
ExecStart=$(command -v haproxy) ${ARGUMENTS[*]}
ExecStartPost=-+$(command -v systemctl) restart --no-block $ARRIVAL_UNIT
ExecReload=$(command -v haproxy) -c -q -f haproxy.cfg
ExecReload=/bin/kill -USR2 \$MAINPID
KillMode=mixed
SuccessExitStatus=143
Restart=always
RestartSec=200ms
LimitNOFILE=262144
$(sandbox)
# What the master needs: ports below 1024, workers as another user, signals to them.
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SETUID CAP_SETGID CAP_KILL

[Install]
WantedBy=multi-user.target
TEXT
  # It runs until the proxy is as new as the others, and ends with the proxy.
  unit_file "$ARRIVAL_UNIT" <<TEXT
[Unit]
Description=Comparison of $SERVER_NAME with the other proxies
After=$PROXY_UNIT
PartOf=$PROXY_UNIT
StartLimitIntervalSec=0

[Service]
WorkingDirectory=$PWD
ExecStart=$bash $PWD/proxy-arrival.sh arrive
Restart=on-failure
RestartSec=1
$(sandbox)
CapabilityBoundingSet=
TEXT
  systemctl daemon-reload
}

#include "../sandbox.sh"

sandbox() {
  sandbox_directives
  printf '%s\n' ProtectHome=yes RestrictNamespaces=yes IPAddressDeny=169.254.169.254
}

# Every five minutes. Once the script has a certificate from the vault, it asks only once a day.
start_timer() {
  {
    for name in SERVER_FOLDER CERTIFICATE_FILE TLS_CERTIFICATE KEY_VAULT_HOST IDENTITY IMDS_ENDPOINT SERVICE_MANAGER; do
      printf '%s="%s"\n' "$name" "${!name:-}"
    done
  } >certificate.env
  if [[ $SERVICE_MANAGER != systemd ]]; then
    printf 'without systemd the certificate is not renewed: run fetch-certificate.sh with certificate.env yourself\n'
    return 0
  fi
  unit_file bluegreen-certificate.service <<TEXT
[Unit]
Description=The site's certificate from Key Vault
After=network-online.target $PROXY_UNIT

[Service]
Type=oneshot
EnvironmentFile=$PWD/certificate.env
Environment=MAX_AGE_SECONDS=86400 PLACEHOLDER=1
ExecStart=$(command -v bash) $PWD/fetch-certificate.sh
TimeoutStartSec=300
$(sandbox_directives)
ProtectHome=yes
RestrictNamespaces=yes
CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER
TEXT
  unit_file bluegreen-certificate.timer <<TEXT
[Unit]
Description=The site's certificate from Key Vault

[Timer]
OnBootSec=1min
OnUnitActiveSec=5min
RandomizedDelaySec=1min

[Install]
WantedBy=timers.target
TEXT
  systemctl daemon-reload
  systemctl enable --quiet --now bluegreen-certificate.timer
}

unit_file() { # NAME; text on stdin
  mkdir -p -- "$SYSTEMD_FOLDER"
  { printf '# Written by setup-proxy.sh; the next set-up writes it again.\n' && cat; } >"$SYSTEMD_FOLDER/.$1.new"
  chmod 644 "$SYSTEMD_FOLDER/.$1.new"
  mv -fT -- "$SYSTEMD_FOLDER/.$1.new" "$SYSTEMD_FOLDER/$1"
}

main
