#!/usr/bin/env bash
# Gives a running proxy of the local platform a new configuration, which it loads while it serves.
# Parameters: PROJECT_FOLDER, relative to it SERVER_FOLDER, DIRECTOR_SPEC.
set -Eeuo pipefail
umask 027

#include "../chosen-environment.sh"
drop_habits

cd "${PROJECT_FOLDER:?}/${SERVER_FOLDER:?}"
# Debian has proxies in /usr/sbin, which is not on every user's PATH.
: "${DIRECTOR_SPEC:?}"
PATH="$PATH:/usr/sbin:/usr/local/sbin" node director.js configure --spec env:DIRECTOR_SPEC
