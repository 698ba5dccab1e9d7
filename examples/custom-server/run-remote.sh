#!/usr/bin/env bash
# Sends one step to a remote server. Terraform's local-exec starts it in the stack's folder. The step is done if it ends
# with 0 and its last line on stdout is its result: a connection that ends early is a failure.
# Parameters (environment): RUNNER (words that end with NUL, base64), PARAMETERS (assignments, base64), REMOTE_SCRIPT.
set -Eeuo pipefail

mapfile -d '' -t runner < <(base64 --decode <<<"${RUNNER:?}")
# One function, so that the remote bash reads everything before it runs anything.
script() {
  echo 'remote() {' &&
    echo 'set -o allexport' &&
    base64 --decode <<<"${PARAMETERS:?}" &&
    echo 'set +o allexport' &&
    cat -- "${REMOTE_SCRIPT:?}" &&
    echo '}' &&
    echo 'remote </dev/null'
}
code=0
output=$(script | "${runner[@]}") || code=$?
printf '%s\n' "$output"
if ((code == 0)) && [[ ! ${output##*$'\n'} =~ ^\{.*\"outcome\":\ ?\".*\}$ ]]; then
  echo "step ${1:-} ended with 0 and without a result, its last line on stdout: whether it is done is not known" >&2
  code=1
fi
exit "$code"
