#!/usr/bin/env bash
# Prepares a web server, or another server that runs steps (PACKAGES depends on its purpose): packages, folders, and the
# user that the application runs as. Can be run again. Delivered with install-packages.sh.
# Parameters: SERVER_FOLDER, DATA_FOLDER ($SERVER_FOLDER/data), PACKAGES ("curl unzip"), SERVICE_USER (www-data).
set -Eeuo pipefail
umask 027

: "${SERVER_FOLDER:?}"
export PACKAGES="${PACKAGES:-curl unzip}"
DATA_FOLDER=${DATA_FOLDER:-$SERVER_FOLDER/data}
SERVICE_USER=${SERVICE_USER:-www-data}
if [[ ! $SERVICE_USER =~ ^[a-z_][a-z0-9_-]{0,31}$ ]]; then
  printf 'setup: SERVICE_USER must be the name of a user\n' >&2
  exit 2
fi

bash "$SERVER_FOLDER/files/install-packages.sh"
mkdir -p -- "$SERVER_FOLDER" "$DATA_FOLDER"

# A simulated machine has no separate users.
if ((EUID == 0)) && [[ -z ${SIM_VM_ROOT:-} ]]; then
  id -- "$SERVICE_USER" >/dev/null 2>&1 || useradd --system --user-group --no-create-home --shell /usr/sbin/nologin -- "$SERVICE_USER"
  chgrp -- "$(id -gn -- "$SERVICE_USER")" "$SERVER_FOLDER" # to pass through, not to change anything
  chown -- "$SERVICE_USER:" "$DATA_FOLDER"
fi
printf '%s has %s\n' "${SERVER_NAME:-this server}" "$PACKAGES"
printf '{"step":"setup-server","outcome":"ready"}\n'
