# ------------------------------------------------------------------------------------------------- the result line
# A part of local/run-command.sh and azure/run-command.head.sh, which start each step. Exit code 0 alone proves nothing: a
# program whose event loop drains, or a truncated script, also ends with 0. A step is done if it ends with 0 and its last
# line on stdout is its result: one JSON object with an "outcome", of at most 3,300 bytes.

RESULT_LINE='^\{(.*[,{[:blank:]])?"outcome"[[:blank:]]*:[[:blank:]]*"[^"]+".*\}$'

has_result() { # FILE: whether its last non-blank line is a result
  local line LC_ALL=C
  line=$(tail -c 3800 -- "$1" | tr -d '\000\r' | sed '/^[[:blank:]]*$/d' | tail -n 1) || return 1
  [[ $line =~ $RESULT_LINE ]]
}

again() { # STEP: the command that runs it once more
  if [[ $1 == setup-* ]]; then echo "deploy base again"; else echo "\`bluegreen retry\`"; fi
}

no_result() { # STEP SERVER
  printf '%s ended with 0 and without a result, its last line on stdout: it is not known whether it is done, see commands/%s on %s, then %s\n' \
    "step $1" "$1" "$2" "$(again "$1")"
}
