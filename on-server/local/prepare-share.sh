#!/usr/bin/env bash
# Creates the share of the local platform: a folder with its mark, which the servers look for (shared-storage.sh). It stays
# when the environment is removed. Parameters: PROJECT_FOLDER, and relative to it SHARED_FOLDER.
set -Eeuo pipefail
umask 027

#include "../chosen-environment.sh"
drop_habits

cd "${PROJECT_FOLDER:?}"
mkdir --parents "${SHARED_FOLDER:?}/.bluegreen"
printf 'shared by the servers of this environment\n' >"$SHARED_FOLDER/.bluegreen/share.new"
mv --no-target-directory "$SHARED_FOLDER/.bluegreen/share.new" "$SHARED_FOLDER/.bluegreen/share"
