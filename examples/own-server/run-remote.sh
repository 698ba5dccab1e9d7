#!/usr/bin/env bash
# Sends one step to a remote server. Started by Terraform's local-exec, in the stack's folder.
# Parameters (environment): RUNNER (words that end with NUL, base64), PARAMETERS (assignments, base64), REMOTE_SCRIPT.
set -Eeuo pipefail

mapfile -d '' -t runner < <(base64 --decode <<<"${RUNNER:?}")
# All of it in one function, so that bash over there has read everything before it runs anything.
{
  echo 'remote() {'
  echo 'set -o allexport'
  base64 --decode <<<"${PARAMETERS:?}"
  echo 'set +o allexport'
  cat -- "${REMOTE_SCRIPT:?}"
  echo '}'
  echo 'remote </dev/null'
} | "${runner[@]}"
