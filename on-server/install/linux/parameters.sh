# ---------------------------------------------------------------------------------------------------- parameters
# A part of install-release.sh: its parameters. All are checked before anything is done.

read_parameters() {
  export LC_ALL=C # a range in a pattern is a range of bytes, in any locale

  parameter SERVER_FOLDER "" 200 "$FOLDER" 'an absolute folder without "..", quotes and other shell characters'
  parameter APPLICATION "" 24 '^[a-z][a-z0-9-]*$' "a-z, 0-9 and -"
  parameter SERVER_NAME "" 64 '^[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?$' "letters, digits, . and -"
  parameter SLOT "" 5 '^(blue|green)$' "blue or green"
  parameter SEQUENCE "" 15 '^[1-9][0-9]*$' "a whole number from 1"
  parameter RECORD_DIGEST "" 64 '^[0-9a-f]{64}$' "64 lower-case hexadecimal digits"
  [[ -v RELEASE_ID ]] || fail 2 "RELEASE_ID is missing: set it, or set it to nothing to empty the slot"
  parameter RELEASE_ID "" 57 '^([0-9A-Za-z][0-9A-Za-z.-]*-[0-9]+)?$' '"<version>-<run>", or nothing for an empty slot'
  parameter SERVICE_MANAGER process 7 '^(process|systemd|auto)$' "process, systemd or auto"
  parameter SYSTEMD_FOLDER /etc/systemd/system 200 "$FOLDER" "an absolute folder"
  local account=${SERVICE_USER:-}
  parameter SERVICE_USER www-data 32 '^[a-z_][a-z0-9_-]*$' "the name of a user"
  parameter ALLOW_METADATA no 3 '^(yes|no)$' "yes or no"
  parameter MODE slot 7 '^(slot|inPlace)$' "slot or inPlace"
  parameter DEADLINE_SECONDS 60 4 '^[1-9][0-9]*$' "whole seconds from 1 to 9999"
  parameter STOP_SECONDS 30 4 '^[1-9][0-9]*$' "whole seconds from 1 to 9999"
  parameter PREPARE_SECONDS 300 4 '^[1-9][0-9]*$' "whole seconds from 1 to 9999"
  parameter KEEP_RELEASES 5 3 '^[1-9][0-9]*$' "a number from 1 to 999"
  parameter PROTECTED_RELEASES "" 2000 '^[0-9A-Za-z. -]*$' "release ids with blanks between them"
  parameter DATA_FOLDER "$SERVER_FOLDER/data" 200 "$FOLDER" "an absolute folder"
  if [[ $SERVICE_MANAGER == auto ]]; then
    SERVICE_MANAGER=process # SIM_VM_ROOT: the machine is simulated, and the systemd is the host's
    if [[ -d /run/systemd/system && -z ${SIM_VM_ROOT:-} ]]; then SERVICE_MANAGER=systemd; fi
  fi
  # Without systemd, instances run as the account that root was given, else as this script's user.
  if [[ $SERVICE_MANAGER == process && (-z $account || $account == root || $EUID != 0) ]]; then SERVICE_USER=""; fi
  milliseconds "$DEADLINE_SECONDS" && DEADLINE_MS=$REPLY
  milliseconds "$STOP_SECONDS" && STOP_MS=$REPLY

  [[ -n $RELEASE_ID ]] || return 0
  parameter VERSION "" 40 '^[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?$' "1 to 40 of letters, digits, . and -"
  [[ $RELEASE_ID$VERSION != *..* && ${RELEASE_ID%-*} == "$VERSION" ]] ||
    fail 2 "RELEASE_ID $RELEASE_ID is not \"<version>-<run>\" of VERSION $VERSION"
  parameter ARTIFACT_SHA256 "" 64 '^[0-9a-f]{64}$' "64 lower-case hexadecimal digits"
  parameter ARTIFACT_URL_BASE64 "" 4000 "$BASE64" "base64"
  parameter START_COMMAND_BASE64 "" 40000 "$BASE64" "base64"
  parameter MAX_ARTIFACT_FILES 200000 7 '^[1-9][0-9]*$' "a number from 1 to 9999999"
  parameter HOST "" 100 '^[0-9A-Za-z:][0-9A-Za-z.:-]*$' "an address or a host name"
  parameter PORT "" 5 '^[1-9][0-9]*$' "a port from 1 to 65535"
  ((PORT <= 65535)) || fail 2 "PORT ${PORT} is above 65535"
  parameter HEALTH_PROTOCOL http1 5 '^http[12]$' "http1 or http2"
  parameter HEALTH_PATH /health 2000 '^/[]!#-&(-;=?-Z[_a-z~]*$' "a path that starts with /"
  parameter HEALTH_STATUS 200 3 '^[1-5][0-9]{2}$' "a status code"
  parameter HEALTH_HOST "" 260 '^([0-9A-Za-z][0-9A-Za-z.-]*(:[0-9]+)?)?$' "a host name"
  parameter RELEASE_HEADER "" 64 '^([A-Za-z][A-Za-z0-9-]*)?$' "the name of a header, or nothing"
  parameter HEALTH_SUCCESSES 3 3 '^[1-9][0-9]*$' "a number from 1 to 999"
  parameter HEALTH_INTERVAL_SECONDS 1 8 '^[0-9]+(\.[0-9]{1,3})?$' "seconds"
  parameter HEALTH_TIMEOUT_SECONDS 5 8 '^[0-9]+(\.[0-9]{1,3})?$' "seconds"
  parameter FETCH_STALL_SECONDS 20 4 '^[1-9][0-9]*$' "whole seconds"
  parameter ARTIFACT_HOST "" 260 '^((\[::1\]|[0-9A-Za-z][0-9A-Za-z.-]*)(:[1-9][0-9]{0,4})?)?$' "a host name, or nothing"
  parameter IDENTITY "" 500 "$IDENTITY_PATTERN" "the resource id of an identity, or nothing"
  parameter IMDS_ENDPOINT http://169.254.169.254 60 "$IMDS_PATTERN" "http://169.254.169.254, or http:// on the loopback address"
  milliseconds "$HEALTH_INTERVAL_SECONDS" && INTERVAL_MS=$REPLY
  milliseconds "$HEALTH_TIMEOUT_SECONDS" && TIMEOUT_MS=$REPLY
  ((TIMEOUT_MS > 0)) || fail 2 "HEALTH_TIMEOUT_SECONDS must be more than 0"

  decode ARTIFACT_URL_BASE64
  ARTIFACT_URL=$REPLY
  [[ ${#ARTIFACT_URL} -le 2000 && $ARTIFACT_URL =~ $ARTIFACT_URL_PATTERN ]] ||
    refuse_value ARTIFACT_URL_BASE64 "${ARTIFACT_URL%%\?*}" "https://..., file:///..., or http:// on the loopback address"
  decode START_COMMAND_BASE64
  START_COMMAND=${REPLY%$'\n'}
  [[ $START_COMMAND =~ ^[^[:cntrl:]=-][^[:cntrl:]=]*($'\n'[^[:cntrl:]]*)*$ ]] ||
    refuse_value START_COMMAND_BASE64 "$START_COMMAND" 'arguments, one a line, the first one a program (no "=", no leading "-")'

  case $HOST in
    0.0.0.0) PROBE_HOST=127.0.0.1 ;;
    ::) PROBE_HOST="[::1]" ;;
    *:*) PROBE_HOST="[$HOST]" ;;
    *) PROBE_HOST=$HOST ;;
  esac
}

readonly BASE64='^[0-9A-Za-z+/]+={0,2}$'
# Names in any language, but no characters with a meaning in a shell, a unit file or a listing.
readonly FOLDER='^/[^][:cntrl:]"'"'"'`$%\;:&|<>*?{}!#()[]*$'
readonly URL_REST='[]!#-&(-;=?-Z[_a-z~]*'
readonly LOOPBACK='(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?'
readonly ARTIFACT_URL_PATTERN="^(https://[0-9A-Za-z.-]+(:[0-9]+)?([/?]$URL_REST)?|http://$LOOPBACK([/?]$URL_REST)?|file:///$URL_REST)\$"
readonly IMDS_PATTERN="^http://(169\.254\.169\.254|$LOOPBACK)\$"
readonly IDENTITY_PATTERN='^(/subscriptions/[0-9A-Fa-f-]{36}/resource[Gg]roups/[0-9A-Za-z_.()-]{1,90}/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/[0-9A-Za-z_-]{3,128})?$'

# parameter NAME DEFAULT MAX_LENGTH PATTERN WHAT: exit 2 unless the variable (or its default, if it is empty) matches.
parameter() {
  local value=${!1:-$2}
  [[ ${#value} -le $3 && $value =~ $4 ]] || refuse_value "$1" "$value" "$5"
  if [[ $4 == "$FOLDER" ]]; then
    [[ $value != / && "$value/" != */../* && "$value/" != */./* ]] || refuse_value "$1" "$value" "$5"
  fi
  printf -v "$1" %s "$value"
}

refuse_value() { # NAME VALUE WHAT
  fail 2 "$1 is \"${2:0:60}\" but must be $3: correct it in the environment or the record"
}

decode() { # NAME -> REPLY; bash would drop a NUL byte, so it becomes a control character, which is refused
  local text=${!1}
  REPLY=$(base64 -d 2>/dev/null <<<"$text" | tr '\0' '\1' && printf .) || fail 2 "$1 is not base64"
  REPLY=${REPLY%.}
}

milliseconds() { # SECONDS (may have up to three decimals) -> REPLY
  local part=
  if [[ $1 == *.* ]]; then part=${1#*.}; fi
  part=${part}000
  REPLY=$((10#${1%%.*} * 1000 + 10#${part:0:3}))
}
