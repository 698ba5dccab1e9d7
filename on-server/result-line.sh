# ------------------------------------------------------------------------------------------------- the result line
# A part of local/run-command.sh and azure/run-command.head.sh, which start every step: exit code 0 alone proves nothing,
# as a program whose event loop drains, or a script that was cut, ends with 0 as well. A step is done if it ends with 0
# and its last line on stdout says how it ended: one JSON object with an "outcome", of at most 3,300 bytes.

RESULT_LINE='^\{(.*[,{[:blank:]])?"outcome"[[:blank:]]*:[[:blank:]]*"[^"]+".*\}$'

has_result() { # FILE: whether its last line that is not blank is a result
  local line LC_ALL=C
  line=$(tail -c 3800 -- "$1" | tr -d '\000\r' | sed '/^[[:blank:]]*$/d' | tail -n 1) || return 1
  [[ $line =~ $RESULT_LINE ]]
}

no_result() { # STEP SERVER
  # shellcheck disable=SC2016 # a command to read, not to run
  printf '%s ended with 0 and without a result, its last line on stdout: whether it is done is not known, look at commands/%s on %s, then `bluegreen retry`\n' \
    "step $1" "$1" "$2"
}
