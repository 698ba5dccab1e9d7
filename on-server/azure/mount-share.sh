#!/usr/bin/env bash
# Mounts the share of `storage.shared` on a web server, now and at each start of the machine, before the first release. Marks
# it, so that an installer never takes the mount point for the share. Can be run again. Delivered with install-packages.sh.
# Parameters: SERVER_FOLDER, SHARED_SOURCE ("<account>.file.core.windows.net:/<account>/<share>"), PACKAGES (nfs-common).
# Exit codes: 0 done; 1 the share can't be mounted; 2 bad input.
set -Eeuo pipefail
umask 027

: "${SERVER_FOLDER:?}"
export PACKAGES="${PACKAGES:-nfs-common}"
readonly OPTIONS=vers=4,minorversion=1,sec=sys,nconnect=4,noresvport,nosuid,nodev,noexec,_netdev
readonly UNITS=${SYSTEMD_FOLDER:-/etc/systemd/system}
SHARE=$SERVER_FOLDER/shared

fail() { # CODE MESSAGE
  printf 'setup: %s\n' "$2" >&2
  exit "$1"
}

[[ ${SHARED_SOURCE:-} =~ ^[a-z0-9]{3,24}\.file\.core\.windows\.net:/[a-z0-9]{3,24}/[a-z0-9-]{3,63}$ ]] ||
  fail 2 "SHARED_SOURCE must be <account>.file.core.windows.net:/<account>/<share>"
[[ $SHARE =~ ^/[0-9A-Za-z._/-]+$ ]] || fail 2 "SERVER_FOLDER must be an absolute folder of letters, digits, ., _ and -"

# `hard` is NFS's default: while the share is away its users wait, and no write is lost.
unit_text() {
  cat <<TEXT
# Written by bluegreen's mount-share.sh, which base runs again when the share changes.
[Unit]
Description=the files that all web servers share
Wants=network-online.target
After=network-online.target

[Mount]
What=$SHARED_SOURCE
Where=$SHARE
Type=nfs
Options=$OPTIONS
TimeoutSec=60

[Install]
WantedBy=remote-fs.target multi-user.target
TEXT
}

# The private endpoint's name and address may be minutes old.
mount_share() {
  local unit pause reason=""
  unit=$(systemd-escape --path --suffix=mount -- "$SHARE")
  unit_text >"$UNITS/.$unit.new"
  if ! cmp -s -- "$UNITS/.$unit.new" "$UNITS/$unit"; then
    if findmnt --noheadings --mountpoint "$SHARE" >/dev/null; then fail 1 "another share is mounted at $SHARE: restart this server after the next deployment of base"; fi
    mv -fT -- "$UNITS/.$unit.new" "$UNITS/$unit"
  fi
  rm -f -- "$UNITS/.$unit.new"
  systemctl daemon-reload
  systemctl enable --quiet "$unit"
  for pause in 5 10 20 40 60 60 0; do
    reason=$(systemctl start "$unit" 2>&1) && break
    systemctl reset-failed "$unit" || true
    ((pause)) || fail 1 "$SHARED_SOURCE cannot be mounted: ${reason//$'\n'/; }: are the private endpoint and its DNS zone there? see journalctl -u $unit"
    sleep "$pause"
  done
  findmnt --noheadings --mountpoint "$SHARE" --types nfs,nfs4 >/dev/null || fail 1 "$SHARE is not the mounted share: see journalctl -u $unit"
}

mark_share() {
  mkdir -p -- "$SHARE/.bluegreen"
  if [[ ! -e $SHARE/.bluegreen/share ]]; then
    printf 'shared by the servers of this environment\n' >"$SHARE/.bluegreen/share.$SERVER_NAME"
    mv -fT -- "$SHARE/.bluegreen/share.$SERVER_NAME" "$SHARE/.bluegreen/share"
  fi
}

bash "$SERVER_FOLDER/files/install-packages.sh"
mkdir -p -- "$SHARE"
# A simulated machine mounts nothing.
if [[ -z ${SIM_VM_ROOT:-} ]]; then mount_share; fi
mark_share
printf '{"step":"mount-share","outcome":"ready"}\n'
