# ------------------------------------------------------------------------------------------------------- the port
# A part of install-release.sh: refuses a port that another process uses.

# refuse_foreign_listener MILLISECONDS: exit 3 if another process still listens on the release's port after that time. (The
# sockets of a process close a moment after it ends.)
refuse_foreign_listener() {
  local end
  clock && end=$((NOW + $1))
  while port_taken; do
    clock
    ((NOW < end)) || fail 3 "port $PORT on $HOST is taken by $(listener_name "$REPLY"), which is not slot $SLOT: stop it, or choose another port"
    pause 20
  done
}

port_taken() { # -> REPLY: the socket's inode
  local line fields=() address="" part=() port
  printf -v port %04X "$PORT"
  if [[ $HOST =~ ^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$ ]]; then
    part=("${BASH_REMATCH[@]}") # the kernel prints the address as a little-endian number
    printf -v address %02X%02X%02X%02X "$((10#${part[4]}))" "$((10#${part[3]}))" "$((10#${part[2]}))" "$((10#${part[1]}))"
  fi
  while IFS= read -r line; do
    read -ra fields <<<"$line"
    REPLY=${fields[9]-}
    case ${fields[1]%:*} in
      00000000 | "$address" | 0000000000000000FFFF0000"$address") return 0 ;;
      *) ;;
    esac
    # HOST is any address, or a name: then the port is taken if it accepts connections there.
    if [[ $HOST == 0.0.0.0 || $HOST == :: ]] || port_accepts; then return 0; fi
  done < <(grep -hE "^ *[0-9]+: [0-9A-F]+:$port [0-9A-F]+:0000 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null || true)
  return 1
}

port_accepts() {
  # shellcheck disable=SC2016
  timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$HOST" "$PORT" 2>/dev/null 7>&- 8>&- 9>&-
}

listener_name() { # INODE
  local file pid comm=""
  file=$(find /proc/[0-9]*/fd -lname "socket:\[$1\]" -print -quit 2>/dev/null) || true
  pid=${file#/proc/} pid=${pid%%/*}
  if [[ -z $pid ]]; then
    printf 'a process of another user'
    return 0
  fi
  read -r comm <"/proc/$pid/comm" || true
  printf 'pid %s (%s)' "$pid" "$comm"
}
