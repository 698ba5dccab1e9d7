#!/usr/bin/env bash
# Installs the director on a proxy of the local platform. It replaces an older one atomically, without a restart of the
# proxy. Parameters: PROJECT_FOLDER, relative to it SERVER_FOLDER, and DIRECTOR_BUNDLE.
set -Eeuo pipefail
umask 027

#include "../chosen-environment.sh"
drop_habits

DIRECTOR_BUNDLE=$(realpath "${DIRECTOR_BUNDLE:?}")
cd "${PROJECT_FOLDER:?}"
mkdir --parents "${SERVER_FOLDER:?}"
cp "$DIRECTOR_BUNDLE" "$SERVER_FOLDER/director.js.new"
mv --no-target-directory "$SERVER_FOLDER/director.js.new" "$SERVER_FOLDER/director.js"
