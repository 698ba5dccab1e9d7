#!/usr/bin/env bash
# Checks that this server reaches the shared storage (storage.shared) and may write there: before a release begins, so
# that nothing was changed yet when it is away. `bluegreen doctor` runs it, too.
#
# In the flow:  record -> synth -> Terraform step "check-<server>": THIS SCRIPT -> begin -> migrate -> install -> switch
#
# Parameters: SERVER_NAME, SHARED_FOLDER, SHARED_PATHS_BASE64, as for install-release.sh.
# Exit codes: 0 done; 1 unexpected; 2 bad input; 3 refused: the storage is away.
set -Eeuo pipefail
umask 027

#include "../chosen-environment.sh"

fail() { # CODE MESSAGE
  local reason=${2//[^[:print:]]/?}
  printf 'check: %s\n' "$reason" >&2
  reason=${reason//\\/\\\\}
  printf '{"step":"check","outcome":"failed","exitCode":%d,"reason":"%s"}\n' "$1" "${reason//\"/\\\"}"
  exit "$1"
}

# shellcheck disable=SC2034 # for the parts below
PHASE="" SERVICE_GROUP="" INCOMING=""

#include "linux/parameters.sh"
#include "linux/shared-storage.sh"

export LC_ALL=C
parameter SERVER_NAME "" 64 '^[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?$' "letters, digits, . and -"
read_shared_parameters
check_shared_storage
printf '{"step":"check","outcome":"ready"}\n'
