# ----------------------------------------------------------------------------------------------- shared storage
# A part of install-release.sh and check-shared-storage.sh: folders that all servers, slots and releases share
# (storage.shared). The share is a folder that every server reaches: on Azure a mounted file share. In a release, a link
# leads from each of these folders to the share.
#
# Below $SHARED_FOLDER:  <path>/  a shared folder
#   .bluegreen/share    marks the share: a mount point without its mount does not have it. The base stack writes it
#   .bluegreen/lock     held by the server that changes what is here
#   .bluegreen/taken-<server>   "<time> <bytes> <path>" of each file of the server's own folders that is here;
#                               taking-<server> while they are copied
#   .bluegreen/kept-beside      each name that servers had with other bytes
# Below releases/<id>/.shared-storage/:  paths (one a line), <n>/ (what the artifact has in the n-th)

readonly SHARED_PATH='^[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*(/[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*)*$'

read_shared_parameters() {
  local path
  SHARED_PATHS=()
  parameter SHARED_PATHS_BASE64 "" 4000 '^([0-9A-Za-z+/]+={0,2})?$' "base64, or nothing"
  [[ -n $SHARED_PATHS_BASE64 ]] || return 0
  parameter SHARED_FOLDER "${SERVER_FOLDER:-}/shared" 200 "$FOLDER" "an absolute folder"
  parameter SHARED_TIMEOUT_SECONDS 15 3 '^[1-9][0-9]*$' "whole seconds from 1 to 999"
  decode SHARED_PATHS_BASE64
  mapfile -t SHARED_PATHS <<<"${REPLY%$'\n'}"
  for path in "${SHARED_PATHS[@]}"; do
    [[ ${#path} -le 100 && $path =~ $SHARED_PATH ]] || refuse_value SHARED_PATHS_BASE64 "$path" "folders inside the application, one a line"
  done
}

# Also for a folder that hangs, as a network share without its server does: nothing here waits for that.
check_shared_storage() {
  ((${#SHARED_PATHS[@]})) || return 0
  local answer="" reader prober
  PHASE="checking the shared storage"
  exec {reader}< <(
    exec 2>/dev/null 7>&- 8>&- 9>&-
    trap - EXIT ERR TERM INT HUP
    probe_share
  )
  prober=$!
  IFS= read -r -t "$SHARED_TIMEOUT_SECONDS" -u "$reader" answer || true
  exec {reader}<&-
  kill -KILL "$prober" 2>/dev/null || true
  answer=${answer:-"gives no answer within $SHARED_TIMEOUT_SECONDS s"}
  [[ $answer == usable ]] ||
    fail 3 "the shared storage $SHARED_FOLDER $answer: make it available on $SERVER_NAME (storage.shared; docs/storage.md), then retry"
}

probe_share() { # one line on stdout
  local mark=$SHARED_FOLDER/.bluegreen/share probe=$SHARED_FOLDER/.bluegreen/probe-$SERVER_NAME-$BASHPID text=""
  if [[ ! -d $SHARED_FOLDER ]]; then
    printf 'does not exist\n'
  elif [[ ! -e $mark ]]; then
    printf 'is not mounted, or was not prepared by the base stack (it has no .bluegreen/share)\n'
  elif ! read -r text <"$mark" || [[ -z $text ]]; then
    printf 'cannot be read\n'
  elif ! printf '%s\n' "$SERVER_NAME" >"$probe" || ! sync -- "$probe" || ! rm -- "$probe"; then
    printf 'cannot be written\n'
  else
    printf 'usable\n'
  fi
}

# The release's own folders are kept: the first server fills the share with them.
link_shared_folders() { # RELEASE FOLDER
  local number=0 path own=$1/.shared-storage
  ((${#SHARED_PATHS[@]})) || return 0
  mkdir -- "$own"
  for path in "${SHARED_PATHS[@]}"; do
    if [[ $path == */* ]]; then
      mkdir -p -- "$1/${path%/*}" 2>/dev/null || fail 4 "the artifact has a file where storage.shared has the folder $path: build it without"
    fi
    if [[ -e $1/$path ]]; then
      [[ -d $1/$path ]] || fail 4 "the artifact has a file $path, which is a folder in storage.shared: build it without"
      mv -T -- "$1/$path" "$own/$number"
    fi
    ln -sT -- "$SHARED_FOLDER/$path" "$1/$path"
    number=$((number + 1))
  done
  printf '%s\n' "${SHARED_PATHS[@]}" >"$own/paths"
  if [[ -n $SERVICE_GROUP ]]; then chgrp -hR -- "$SERVICE_GROUP" "$1"; fi
}

# The other way round, in a copy of a release: its files are compared with the artifact's.
unlink_shared_folders() { # RELEASE FOLDER
  local number=0 path own=$1/.shared-storage
  [[ -e $own/paths ]] || return 0
  while IFS= read -r path; do
    rm -f -- "$1/$path"
    if [[ -e $own/$number ]]; then
      mv -T -- "$own/$number" "$1/$path"
    elif [[ $path == */* ]]; then
      (cd -- "$1" && rmdir -p --ignore-fail-on-non-empty -- "${path%/*}")
    fi
    number=$((number + 1))
  done <"$own/paths"
  rm -rf -- "$own"
}

has_shared_links() { # RELEASE
  local text=""
  if [[ -e releases/$1/.shared-storage/paths ]]; then text=$(<"releases/$1/.shared-storage/paths"); fi
  [[ $text == "$(printf '%s\n' "${SHARED_PATHS[@]}")" ]]
}

# Brings the server's own folders into the share, then fills those that are still missing with the release's files. One
# server at a time. A killed run leaves the lock to the kernel, and at most what the next run copies again.
prepare_shared_folders() {
  local number=0 path lock
  # A release of before storage.shared, which is in use, stays as it is.
  if ((${#SHARED_PATHS[@]} == 0)) || ! has_shared_links "$RELEASE_ID"; then return 0; fi
  PHASE="waiting for the shared storage"
  exec {lock}>>"$SHARED_FOLDER/.bluegreen/lock"
  attend flock -w "$DEADLINE_SECONDS" "$lock" ||
    fail 3 "another server still works in the shared storage after $DEADLINE_SECONDS s: wait for it, then retry"
  PHASE="taking over this server's folders"
  if [[ -n $SERVICE_GROUP ]]; then
    chgrp -- "$SERVICE_GROUP" "$SHARED_FOLDER"
    chmod g+x -- "$SHARED_FOLDER"
  fi
  INCOMING=$SHARED_FOLDER/.bluegreen/incoming-$SERVER_NAME
  rm -rf -- "$INCOMING"
  mkdir -- "$INCOMING"
  take_over
  PHASE="creating the shared folders"
  for path in "${SHARED_PATHS[@]}"; do
    make_shared_folder "$path" "releases/$RELEASE_ID/.shared-storage/$number"
    number=$((number + 1))
  done
  rm -rf -- "$INCOMING"
  exec {lock}>&-
}

make_shared_folder() { # PATH [FILLED_WITH]
  local filled=${2-}
  if [[ -d $SHARED_FOLDER/$1 ]]; then return 0; fi
  if [[ $1 == */* ]]; then make_shared_folder "${1%/*}"; fi
  rm -rf -- "$INCOMING/new"
  if [[ -n $filled && -d $filled ]]; then
    attend cp -a -- "$filled" "$INCOMING/new" || fail 1 "the shared folder $1 cannot be filled: is $SHARED_FOLDER full?"
  else
    mkdir -- "$INCOMING/new"
  fi
  give_shared "$INCOMING/new"
  mv -T -- "$INCOMING/new" "$SHARED_FOLDER/$1"
}

give_shared() { # FILE OR FOLDER: to the account of the instances
  if [[ -n $SERVICE_GROUP ]]; then chown -hR -- "$SERVICE_USER:$SERVICE_GROUP" "$1"; fi
}

# ------------------------------------------------------------------------------------------------- taking over

# Copies what this server's releases and its data folder have, and never changes them: the release that runs goes on. What
# its users add meanwhile comes with the next install. A file that was taken is not taken again: users may have deleted it.
take_over() {
  local state=$SHARED_FOLDER/.bluegreen known=/dev/null taken taking path source entry count=0
  taken=$state/taken-$SERVER_NAME taking=$state/taking-$SERVER_NAME
  if [[ -e $taken ]]; then known=$taken; fi
  cp -- "$known" "$WORK/all"
  for path in "${SHARED_PATHS[@]}"; do
    while IFS= read -r source; do
      held_files "$source" "$path" >"$WORK/held"
      sort -zum -o "$WORK/all" -- "$WORK/all" "$WORK/held"
    done < <(own_folders "$path")
  done
  if cmp -s -- "$known" "$WORK/all"; then return 0; fi
  cp -- "$WORK/all" "$INCOMING/list"
  mv -fT -- "$INCOMING/list" "$taking"
  for path in "${SHARED_PATHS[@]}"; do
    while IFS= read -r source; do
      make_shared_folder "$path"
      held_files "$source" "$path" | comm -z -23 -- - "$known" >"$WORK/held"
      while IFS= read -r -d '' entry; do
        entry=${entry#* * }
        take_file "$source/${entry#"$path"/}" "$entry"
        count=$((count + 1))
      done <"$WORK/held"
    done < <(own_folders "$path")
  done
  sync -f -- "$SHARED_FOLDER" 2>/dev/null || true
  mv -fT -- "$taking" "$taken"
  printf 'shared storage: took over %d files of %s\n' "$count" "$SERVER_NAME"
}

held_files() { # FOLDER PATH -> "<time> <bytes> <path>", sorted
  find "$1/" -mindepth 1 \( -type f -o -type l \) -printf "%T@ %s $2/%P\0" | sort -zu
}

# This server's folders of that path: real folders, not links to the share.
own_folders() { # PATH
  local folder real share
  share=$(realpath -- "$SHARED_FOLDER")
  for folder in "$DATA_FOLDER" {slots/blue,slots/green} "releases/$(last_healthy blue)" "releases/$(last_healthy green)"; do
    [[ $folder != releases/ && -d $folder/$1 && ! -L $folder/$1 ]] || continue
    real=$(realpath -- "$folder/$1")
    [[ "$real/" == "$share"/* ]] || printf '%s\n' "$real"
  done | sort -u
}

# The newest file of a name stays, one with other bytes is kept beside it. Each step can be repeated.
take_file() { # SOURCE PATH
  local path to origin
  free_of_files "$2" && path=$REPLY
  to=$SHARED_FOLDER/$path
  if [[ ! -e $to && ! -L $to ]]; then
    bring "$1" "$path"
  elif is_same "$1" "$to"; then
    return 0
  elif [[ -f $to && ! -L $to && ! -L $1 && $1 -nt $to ]]; then
    origin=$(origin_of "$2")
    keep_beside "$to" "$path" "$origin"
    bring "$1" "$path"
  else
    keep_beside "$1" "$path" "$SERVER_NAME"
  fi
}

is_same() { # FILE FILE
  if [[ -L $1 || -L $2 ]]; then
    [[ -L $1 && -L $2 && $(readlink -- "$1") == "$(readlink -- "$2")" ]]
  else
    [[ -f $2 ]] && cmp -s -- "$1" "$2"
  fi
}

bring() { # SOURCE PATH: whole or not at all
  attend cp -PT --preserve=mode,timestamps -- "$1" "$INCOMING/file" || fail 1 "$2 cannot be copied into the shared storage: is $SHARED_FOLDER full?"
  give_shared "$INCOMING/file"
  make_shared_folder "${2%/*}"
  mv -fT -- "$INCOMING/file" "$SHARED_FOLDER/$2"
}

# A path without files and links where it has folders: an instance could have put a link there.
free_of_files() { # PATH -> REPLY
  local rest=$1 part
  REPLY=""
  while [[ $rest == */* ]]; do
    part=${rest%%/*} rest=${rest#*/}
    while [[ -L $SHARED_FOLDER/$REPLY$part || (-e $SHARED_FOLDER/$REPLY$part && ! -d $SHARED_FOLDER/$REPLY$part) ]]; do
      part+=.$SERVER_NAME
    done
    REPLY+=$part/
  done
  REPLY+=$rest
}

origin_of() { # PATH -> the server that it was taken from
  local list
  for list in "$SHARED_FOLDER"/.bluegreen/{taking,taken}-*; do
    if [[ -e $list && $list != *-"$SERVER_NAME" ]] && cut -z -d ' ' -f 3- -- "$list" | grep -qzxF -e "$1"; then
      list=${list##*/}
      printf %s "${list#*-}"
      return 0
    fi
  done
  printf earlier
}

# photo.jpg is kept as photo.web-1.jpg, or photo.web-1-2.jpg if that name has other bytes.
keep_beside() { # FILE PATH NAME
  local folder=${2%/*} base=${2##*/} extension="" number=1 path line
  if [[ $base == ?*.* ]]; then extension=.${base##*.} base=${base%.*}; fi
  path=$folder/$base.$3$extension
  while [[ -e $SHARED_FOLDER/$path || -L $SHARED_FOLDER/$path ]]; do
    if is_same "$1" "$SHARED_FOLDER/$path"; then break; fi
    number=$((number + 1))
    path=$folder/$base.$3-$number$extension
  done
  if [[ ! -e $SHARED_FOLDER/$path && ! -L $SHARED_FOLDER/$path ]]; then bring "$1" "$path"; fi
  line="$2: the newest stays, another one is kept as $path"
  line=${line//[^[:print:]]/?}
  printf 'shared storage: %s\n' "$line"
  if ! grep -qsxF -e "$line" -- "$SHARED_FOLDER/.bluegreen/kept-beside"; then
    printf '%s\n' "$line" >>"$SHARED_FOLDER/.bluegreen/kept-beside"
  fi
}
