# -------------------------------------------------------------------------------------------------------- systemd
# A part of install-release.sh: the slot's systemd unit.

unit() { printf '%s@%s.service' "$APPLICATION" "$SLOT"; }
unit_file() { printf '%s/%s@.service' "$SYSTEMD_FOLDER" "$APPLICATION"; }

prepare_systemd() {
  command -v systemctl >/dev/null || fail 1 "systemctl is not on PATH: use SERVICE_MANAGER=process"
  SERVICE_GROUP=$(id -gn -- "$SERVICE_USER" 2>/dev/null) || fail 2 "SERVICE_USER $SERVICE_USER does not exist on this server: create it"
  chgrp -- "$SERVICE_GROUP" . releases slots
  chmod g+x . releases slots
  if [[ $DATA_FOLDER == "$SERVER_FOLDER/data" ]]; then chown -- "$SERVICE_USER:$SERVICE_GROUP" data; fi
}

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
  put "$(unit_file)" "$(unit_text)"
  REASON=$({ systemctl daemon-reload && systemctl enable --quiet "$unit" && systemctl restart "$unit"; } 2>&1 7>&- 8>&- 9>&-) && return 0
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

unit_text() {
  cat <<TEXT
# Written by bluegreen's install-release.sh; the next install writes it again.
[Unit]
Description=$APPLICATION, slot %i
Wants=network-online.target
After=network-online.target

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
TimeoutStopSec=$STOP_SECONDS
Restart=on-failure
RestartSec=1
NoNewPrivileges=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
TEXT
}
