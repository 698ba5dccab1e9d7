#!/usr/bin/env bash
# Creates a web server of the local platform: a folder. Parameters:
# PROJECT_FOLDER, and relative to it SERVER_FOLDER and DATA_FOLDER.
set -Eeuo pipefail
umask 027

#include "../chosen-environment.sh"
drop_habits

cd "${PROJECT_FOLDER:?}"
mkdir --parents "${SERVER_FOLDER:?}" "${DATA_FOLDER:?}"
