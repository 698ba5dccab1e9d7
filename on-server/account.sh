# ------------------------------------------------------------------------------------------------------- account
# A part of install-release.sh and local/start-proxy.sh: the account that serves users, where root starts what serves.

# let_through FOLDER TOP GROUP: the group may pass through the folder, and through those between it and TOP. Not more, and
# nothing above: that is the person's.
let_through() {
  local path=$1 mode group
  while [[ $path == "$2"/* ]]; do
    read -r mode group < <(stat -c '%a %G' -- "$path")
    if (((8#$mode & 1) == 0)); then
      if [[ $group != "$3" && $group != root ]] && ((8#$mode & 8)); then
        chmod o=x -- "$path" # another one passes: that of a proxy that runs, perhaps
      else
        chgrp -- "$3" "$path"
        chmod g=x -- "$path"
      fi
    fi
    path=${path%/*}
  done
}

# as_account USER GROUP COMMAND...: becomes the command, without any right of root.
as_account() {
  local user=$1 group=$2
  shift 2
  exec setpriv --reuid="$user" --regid="$group" --init-groups --no-new-privs --inh-caps=-all -- "$@"
}

# may_enter USER GROUP FOLDER
may_enter() {
  (as_account "$1" "$2" test -x "$3/.") 2>/dev/null 7>&- 8>&- 9>&-
}
