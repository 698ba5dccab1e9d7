# ---------------------------------------------------------------------------------------- the instances' account
# A part of install-release.sh: what the account SERVICE_USER may reach. Everything else here is root's.

prepare_account() { # PROJECT
  SERVICE_GROUP=$(id -gn -- "$SERVICE_USER" 2>/dev/null) || fail 2 "SERVICE_USER $SERVICE_USER does not exist on this server: create it"
  chgrp -- "$SERVICE_GROUP" . releases slots
  chmod g+x . releases slots
  if [[ $DATA_FOLDER == "$SERVER_FOLDER/data" ]]; then chown -h -- "$SERVICE_USER:$SERVICE_GROUP" data; fi
  if [[ $SERVICE_MANAGER == process ]]; then prepare_project "$1"; fi
}

# On the local platform, folders of the project are above the server's, and the data is beside the servers.
prepare_project() { # PROJECT
  local folder data
  command -v setpriv >/dev/null || fail 1 "setpriv is not on PATH: install it on this server (util-linux)"
  data=$(realpath -- "$DATA_FOLDER")
  for folder in "$SERVER_FOLDER" "$data"; do let_through "${folder%/*}" "$1" "$SERVICE_GROUP"; done
  if [[ $data == "$1"/* ]]; then
    # What instances wrote as root before is the account's now. Later it could put links here.
    if [[ $(stat -c %U -- "$data") == root ]]; then
      find "$data" -xdev ! -name database.place -exec chown -h -- "$SERVICE_USER:$SERVICE_GROUP" {} +
    elif [[ -e $data/database.url ]]; then
      chown -h -- "$SERVICE_USER:$SERVICE_GROUP" "$data/database.url"
    fi
  fi
  for folder in "$SERVER_FOLDER" "$data"; do
    may_enter "$SERVICE_USER" "$SERVICE_GROUP" "$folder" ||
      fail 2 "$SERVICE_USER can't enter $folder: let it pass through the folders above, or choose another account (platform.user)"
  done
}

# The release may be from a time with another account.
give_release() { # RELEASE
  if [[ -n $SERVICE_GROUP && $(stat -c %G -- "releases/$1") != "$SERVICE_GROUP" ]]; then
    chgrp -R -- "$SERVICE_GROUP" "releases/$1"
  fi
}

home_of_instances() {
  local home=${HOME:-$SERVER_FOLDER}
  if [[ -n $SERVICE_USER ]]; then
    home=$(awk -F: -v user="$SERVICE_USER" '$1 == user { print $6 }' /etc/passwd)
    if [[ ! -d $home ]]; then home=$SERVER_FOLDER; fi
  fi
  printf %s "$home"
}
