# -------------------------------------------------------------------------------------------------------- systemd
# A part of install-release.sh: the slot's systemd unit.

unit() { printf '%s@%s.service' "$APPLICATION" "$SLOT"; }
unit_file() { printf '%s/%s@.service' "$SYSTEMD_FOLDER" "$APPLICATION"; }

# One template for both slots. What differs between slots (the environment) and releases (the command) is in separate
# files, so that a change of one slot never affects the other.
start_service() { # RELEASE COMMAND...
  local release=$1 word words="" unit folder
  unit=$(unit)
  folder=$SYSTEMD_FOLDER/$unit.d
  shift
  for word in "$@"; do
    word=${word//\\/\\\\}
    word=${word//\"/\\\"}
    word=${word//%/%%}
    words+=" \"${word//\$/\$\$}\""
  done
  mkdir -p -- "$folder"
  put "run/$SLOT.env" "$(environment_file "$release")"
  put "$folder/start.conf" "[Service]"$'\n'"ExecStart="$'\n'"ExecStart=/usr/bin/env$words"
  put "$(unit_file)" "$(unit_text "$@")"
  write_stop_limit || true
  write_log_guard
  REASON=$({ systemctl daemon-reload && systemctl enable --quiet "$unit" && systemctl restart "$unit" && start_log_unit; } 2>&1 7>&- 8>&- 9>&-) && return 0
  REASON=${REASON:-systemctl failed}
  REASON=${REASON//$'\n'/; }
  return 1
}

environment_file() { # RELEASE
  cat <<TEXT
LANG="${LANG:-C.UTF-8}"
HOST="$HOST"
PORT="$PORT"
DATA_FOLDER="$DATA_FOLDER"
BLUEGREEN_RELEASE_ID="$1"
BLUEGREEN_SLOT="$SLOT"
BLUEGREEN_SERVER="$SERVER_NAME"
BLUEGREEN_APPLICATION="$APPLICATION"
BLUEGREEN_SERVER_FOLDER="$SERVER_FOLDER"
TEXT
}

log_unit() { printf '%s-logs.service' "$APPLICATION"; }

# The guard of both slots' logs (bounded-logs.sh), as a unit of its own.
write_log_guard() {
  put run/guard-logs.sh "$(guard_script "$SERVER_FOLDER" "$MAX_LOG_BYTES" logs/blue.log logs/green.log)"
  put "$SYSTEMD_FOLDER/$(log_unit)" "# Written by bluegreen's install-release.sh; the next install writes it again.
[Unit]
Description=$APPLICATION, bounded logs
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/bin/env bash \"${SERVER_FOLDER}/run/guard-logs.sh\"
Restart=always
RestartSec=5
PrivateNetwork=yes
CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_FOWNER
RestrictNamespaces=yes
$(sandbox_directives)

[Install]
WantedBy=multi-user.target"
}

# Restarted, because its script may be a new one.
start_log_unit() {
  systemctl enable --quiet "$(log_unit)" && systemctl restart "$(log_unit)"
}

# In a file of its own, so that a changed limit also holds for a release that runs already.
apply_stop_limit() {
  if [[ $SERVICE_MANAGER == systemd ]] && write_stop_limit; then systemctl daemon-reload; fi
}

write_stop_limit() { # returns 1 if nothing changed
  local folder text="[Service]"$'\n'"TimeoutStopSec=$STOP_SECONDS"
  folder=$SYSTEMD_FOLDER/$(unit).d
  [[ -d $folder && $(cat -- "$folder/stop.conf" 2>/dev/null) != "$text" ]] && put "$folder/stop.conf" "$text"
}

# The directives that need a newer systemd than Debian 12's.
restart_pause() {
  local version
  version=$(systemctl --version 2>/dev/null 7>&- 8>&- 9>&-) || true
  if [[ $version =~ ^systemd\ ([0-9]+) ]] && ((BASH_REMATCH[1] >= 254)); then
    printf 'RestartSec=1\nRestartSteps=5\nRestartMaxDelaySec=30\n'
  else
    printf 'RestartSec=5\n'
  fi
}

# Without /home, unless the application is there; without the metadata address, unless it uses the identity.
unit_exceptions() { # PROGRAM...
  if [[ ! "$SERVER_FOLDER $DATA_FOLDER ${SHARED_FOLDER:-} $1" =~ (^|\ )/(home|root|run/user)/ ]]; then printf 'ProtectHome=yes\n'; fi
  if [[ $ALLOW_METADATA == no ]]; then printf 'IPAddressDeny=169.254.169.254\n'; fi
  if [[ $SERVICE_USER != root ]]; then printf 'CapabilityBoundingSet=\n'; fi
}

# StartLimitIntervalSec=0: an application whose database is away is started for ever, not given up after five times. No
# MemoryDenyWriteExecute and no RestrictNamespaces: compilers at run time (.NET, Node.js, Java) and browsers need these.
unit_text() { # PROGRAM...
  cat <<TEXT
# Written by bluegreen's install-release.sh; the next install writes it again.
[Unit]
Description=$APPLICATION, slot %i
Wants=network-online.target
After=network-online.target${SHARED_FOLDER:+ remote-fs.target}
StartLimitIntervalSec=0

[Service]
Type=exec
User=$SERVICE_USER
UMask=0027
WorkingDirectory=${SERVER_FOLDER}/slots/%i
EnvironmentFile=${SERVER_FOLDER}/run/%i.env
# The slot's own start.conf replaces this.
ExecStart=/bin/false
StandardOutput=append:${SERVER_FOLDER}/logs/%i.log
StandardError=inherit
KillMode=mixed
Restart=always
$(restart_pause)
$(sandbox_directives)
$(unit_exceptions "$@")

[Install]
WantedBy=multi-user.target
TEXT
}
