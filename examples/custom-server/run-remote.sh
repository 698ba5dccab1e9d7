#!/usr/bin/env bash
# Sends one step to a remote server. Started by Terraform's local-exec, in the stack's folder. The step is done if it ends
# with 0 and its last line on stdout is its result: a connection that ends early must not pass for that.
# Parameters (environment): RUNNER (words that end with NUL, base64), PARAMETERS (assignments, base64), REMOTE_SCRIPT.
set -Eeuo pipefail

mapfile -d '' -t runner < <(base64 --decode <<<"${RUNNER:?}")
# All of it in one function, so that bash over there has read everything before it runs anything.
text() {
  echo 'remote() {' &&
    echo 'set -o allexport' &&
    base64 --decode <<<"${PARAMETERS:?}" &&
    echo 'set +o allexport' &&
    cat -- "${REMOTE_SCRIPT:?}" &&
    echo '}' &&
    echo 'remote </dev/null'
}
code=0
said=$(text | "${runner[@]}") || code=$?
printf '%s\n' "$said"
if ((code == 0)) && [[ ! ${said##*$'\n'} =~ ^\{.*\"outcome\":\ ?\".*\}$ ]]; then
  echo "step ${1:-} ended with 0 and without a result, its last line on stdout: it is not known whether it is done" >&2
  code=1
fi
exit "$code"
