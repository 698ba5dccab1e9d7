# -------------------------------------------------------------------------------------------- fetch the release
# A part of install-release.sh: downloads the artifact, checks its digest, unpacks it and moves it into place.

obtain_release() {
  PHASE="fetching $RELEASE_ID"
  local known="" sha=""
  if [[ -e releases/$RELEASE_ID ]]; then
    read -r known sha 2>/dev/null <"releases/$RELEASE_ID/.release" || true
    if [[ $known == "$RELEASE_ID" && $sha == "$ARTIFACT_SHA256" ]]; then
      if has_shared_links "$RELEASE_ID" || release_in_use "$RELEASE_ID"; then return 0; fi
    elif [[ -n $sha ]] || release_in_use "$RELEASE_ID"; then
      fail 3 "release $RELEASE_ID is already here with sha256 ${sha:0:12}, the record says ${ARTIFACT_SHA256:0:12}: release it under a new version or run"
    fi
    rm -rf -- "releases/$RELEASE_ID" # no .release: copied there by hand; or without its links to the share
  fi

  copy_release || download_release
  link_shared_folders "$STAGING"
  mv -T -- "$STAGING" "releases/$RELEASE_ID"
  STAGING="" UNPACKED=1
}

# A rollback of a recreate, or the same artifact under a new run: it is here, and nothing needs to be downloaded. An
# application may have changed its files, so their digest decides. Returns 1 if no release here has the artifact.
copy_release() {
  local file sha="" id=""
  for file in releases/*/.release; do
    [[ -e ${file%/*}/.tree ]] || continue
    read -r id sha <"$file" || true
    if [[ $sha == "$ARTIFACT_SHA256" ]]; then break; fi
  done
  [[ $sha == "$ARTIFACT_SHA256" ]] || return 1
  PHASE="copying $id to $RELEASE_ID"
  new_staging
  if attend cp -a --reflink=auto -- "releases/$id/." "$STAGING" 2>/dev/null && unlink_shared_folders "$STAGING" && [[ $(tree_digest "$STAGING") == $(<"$STAGING/.tree") ]]; then
    mark_release
    return 0
  fi
  rm -rf -- "$STAGING"
  return 1
}

download_release() {
  local partial=downloads/$ARTIFACT_SHA256.partial
  PHASE="fetching $RELEASE_ID"
  PARTIAL=$partial
  measure_room
  ((ROOM > 0)) || refuse_full_disk "the artifact"
  if [[ $ARTIFACT_URL == file:* ]]; then
    fetch_file "$partial"
  elif is_artifact_host; then
    fetch_with_token "$partial"
  else
    fetch_http "$partial"
  fi
  local actual
  actual=$(sha256sum 7>&- 8>&- 9>&- <"$partial")
  [[ ${actual%% *} == "$ARTIFACT_SHA256" ]] ||
    fail 4 "the artifact's sha256 is ${actual:0:12}..., the record says ${ARTIFACT_SHA256:0:12}...: publish it again, or correct the record"

  PHASE="unpacking $RELEASE_ID"
  new_staging
  unpack "$partial" "$STAGING"
  rm -rf -- "$STAGING"/{.release,.start,.start-blue,.start-green,.tree,.shared-storage}
  # Sets all modes: those of the build machine must not decide what is readable here.
  chmod -R u+rwX,g=rX,o= -- "$STAGING"
  date_files "$STAGING" "$partial"
  if [[ -n $SERVICE_GROUP ]]; then chgrp -R -- "$SERVICE_GROUP" "$STAGING"; fi
  tree_digest "$STAGING" >"$WORK/tree"
  mv -fT -- "$WORK/tree" "$STAGING/.tree"
  mark_release
  rm -f -- "$partial"
  PARTIAL=""
}

new_staging() {
  STAGING=releases/.staging-$RELEASE_ID-$RANDOM$RANDOM
  mkdir -- "$STAGING"
}

mark_release() {
  printf '%s %s\n' "$RELEASE_ID" "$ARTIFACT_SHA256" >"$STAGING/.release"
  printf '%s\n' "$START_COMMAND" >"$STAGING/.start"
  rm -rf -- "$STAGING"/.start-{blue,green} # of the release that it is a copy of
  if [[ -n $SERVICE_GROUP ]]; then chgrp -- "$SERVICE_GROUP" "$STAGING/.release" "$STAGING/.start" "$STAGING/.tree"; fi
}

# One digest of all names, kinds, modes and contents; without the installer's files.
tree_digest() { # FOLDER
  local digest ours=(-path ./.release -o -path ./.start -o -path ./.start-blue -o -path ./.start-green -o -path ./.tree)
  digest=$(
    exec 7>&- 8>&- 9>&-
    cd -- "$1"
    {
      find . -mindepth 1 \( "${ours[@]}" \) -o -printf '%y %m %P\0' | sort -z
      find . -type f ! \( "${ours[@]}" \) -print0 | sort -z | xargs -0 -r sha256sum --
    } | sha256sum
  )
  printf '%s\n' "${digest%% *}"
}

# Sets the time of all files to the artifact's publication, the same on each server. Web servers build an ETag from time
# and size. A reproducible build gives all files one time, and browsers would keep the last release's files.
date_files() { # FOLDER ARTIFACT
  : >"$WORK/now"
  if [[ $WORK/now -nt $2 ]]; then touch -r "$2" -- "$WORK/now"; fi # no time in the future
  find "$1" -type f -exec touch -r "$WORK/now" -- {} +
}

fetch_file() { # TARGET
  local path=${ARTIFACT_URL#file://} size
  path=${path%%[?#]*}
  [[ $path != *%* || $path =~ ^([^%]|%[0-9A-Fa-f]{2})*$ ]] || fail 2 "the artifact's address has a % without two hexadecimal digits after it"
  printf -v path %b "${path//%/\\x}"
  [[ $path != *[[:cntrl:]]* && -f $path && -r $path ]] || fail 4 "download failed: there is no file ${path:0:200}: publish the artifact, then retry"
  size=$(stat -L -c %s -- "$path")
  ((size <= MAX_BYTES)) || fail 4 "download failed: ${path:0:200} is larger than $MAX_BYTES bytes: build it from less"
  # A link takes neither time nor space. The digest is computed afterwards.
  if ln -L -- "$path" "$1" 2>/dev/null; then return 0; fi
  ((size <= ROOM)) || refuse_full_disk "${path:0:200}, of $size bytes"
  attend limited cp --preserve=timestamps -- "$path" "$1" 2>"$WORK/error" || fail 4 "download failed: $(reason_in "$WORK/error")"
}

fetch_http() { # TARGET
  local redirects=(-L --max-redirs 5 --proto-redir '=https')
  if [[ $ARTIFACT_URL == http:* ]]; then redirects=(); fi
  download "$1" "" -f --retry 2 --retry-connrefused "${redirects[@]}" ||
    fail 4 "download failed: $(reason_in "$WORK/error"): is ${ARTIFACT_URL%%\?*} right and reachable from this server?"
  [[ $STATUS == 200 ]] || fail 4 "download failed: status $STATUS instead of 200: is ${ARTIFACT_URL%%\?*} right and reachable from this server?"
  [[ -e $1 ]] || : >"$1" # curl creates nothing for an empty body
}

# download TARGET HEADERS OPTION... -> STATUS. curl gets the address and the headers through stdin: they may contain a
# signature or a token, and argv is public.
download() {
  local target=$1 headers=$2 code=0 only=('=https')
  shift 2
  if [[ $ARTIFACT_URL == http:* ]]; then only=('=http' --noproxy '*'); fi
  STATUS=
  preparation_left
  attend limited timeout -k 2 $((LEFT / 1000 + 1)) curl -q --config - -g -sS --proto "${only[@]}" "$@" \
    --remote-time --max-filesize "$ROOM" --connect-timeout 10 --speed-limit 1024 --speed-time "$FETCH_STALL_SECONDS" -w '%{http_code}' -o "$target" \
    <<<"url = \"$ARTIFACT_URL\""$'\n'"$headers" >"$WORK/status" 2>"$WORK/error" || code=$?
  if ((code == 124 || code == 137)); then fail 4 "download failed: not complete after $PREPARE_SECONDS s: retry"; fi
  if is_too_large "$code" "$target"; then
    ((ROOM == MAX_BYTES)) || refuse_full_disk "${ARTIFACT_URL%%\?*}"
    fail 4 "download failed: ${ARTIFACT_URL%%\?*} is larger than $MAX_BYTES bytes: build it from less"
  fi
  read -r STATUS <"$WORK/status" || true
  return "$code"
}

# curl refuses by the header Content-Length (63). Without one, the file's limit ends it (23, as a full disk does).
is_too_large() { # CODE FILE
  (($1 == 63)) || { (($1 == 23)) && [[ -e $2 ]] && (($(stat -c %s -- "$2") >= ROOM / 1024 * 1024)); }
}

# Only this host gets a token of the server's identity. All other addresses are fetched without one.
is_artifact_host() {
  local host=${ARTIFACT_URL#*://} known=${ARTIFACT_HOST,,}
  host=${host%%[/?]*} host=${host,,}
  if [[ $ARTIFACT_URL == https:* ]]; then host=${host%:443} known=${known%:443}; fi
  [[ -n $known && $host == "$known" ]]
}

# From the environment's storage, with a token of this machine's identity. Storage answers 403 for minutes after a role
# was assigned, so that is retried like other transient errors. No redirect is followed: it would get the token, too.
fetch_with_token() { # TARGET
  local code headers text problem advice from=${ARTIFACT_URL%%\?*}
  obtain_token
  headers="header = \"Authorization: Bearer $REPLY\""$'\n''header = "x-ms-version: 2021-08-06"'
  RETRY_MS=250
  while true; do
    code=0 text="" advice="is $from right and reachable from this server?"
    download "$1" "$headers" || code=$?
    case $code:$STATUS in
      0:200)
        [[ -e $1 ]] || : >"$1" # curl creates nothing for an empty body
        return 0
        ;;
      0:*) problem="storage answered $STATUS" ;;
      *) problem="storage gave no complete answer ($(reason_in "$WORK/error"))" ;;
    esac
    if [[ $code == 0 && -e $1 ]]; then IFS= read -r -N 1000 text <"$1" || true; fi
    if [[ $text =~ \<Code\>([A-Za-z]{1,60})\</Code\> ]]; then problem+=" (${BASH_REMATCH[1]})"; fi
    case $code:$STATUS in
      0:403) advice="does the identity have Storage Blob Data Reader on the container?" ;;
      0:404) advice="is the artifact published at $from?" ;;
      0:429 | 0:5??) advice="retry later" ;;
      0:3??) fail 4 "download failed: $problem: a redirect is not followed with a token: correct the artifact's address" ;;
      0:* | 23:* | 60:*) fail 4 "download failed: $problem: $advice" ;;
      *) ;;
    esac
    wait_before_retry || fail 4 "download failed: $problem for $PREPARE_SECONDS s: $advice"
  done
}

# From the machine's metadata service. The token is never in a file, an argument or a message.
obtain_token() { # -> REPLY
  local answer status problem advice url identity=${IDENTITY//\//%2F}
  url="$IMDS_ENDPOINT/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F"
  identity=${identity//\(/%28}
  if [[ -n $IDENTITY ]]; then url+="&msi_res_id=${identity//\)/%29}"; fi
  RETRY_MS=250
  while true; do
    answer=$(curl -q -g -sS --noproxy '*' --proto '=http' --connect-timeout 2 --max-time 5 -H 'Metadata: true' \
      -w '\n%{http_code}' "$url" 2>"$WORK/error" 7>&- 8>&- 9>&- | tail -c 65536 | tr -d '\0') || true
    status=${answer##*$'\n'} answer=${answer%$'\n'*} advice="retry later"
    problem="$IMDS_ENDPOINT answered ${status:0:3}"
    if [[ $answer =~ $TOKEN_REFUSED ]]; then problem+=" (${BASH_REMATCH[1]})"; fi
    case $status in
      200)
        [[ $answer =~ $TOKEN_ANSWER ]] || fail 4 "no token for the identity: $problem without a readable access_token: retry"
        REPLY=${BASH_REMATCH[2]}
        return 0
        ;;
      404 | 410 | 429 | 5??) ;;
      [1-4]??) fail 4 "no token for the identity: $problem: is ${IDENTITY:-an identity} assigned to this machine?" ;;
      *) problem="no answer from $IMDS_ENDPOINT ($(reason_in "$WORK/error"))" advice="is this an Azure virtual machine?" ;;
    esac
    wait_before_retry || fail 4 "no token for the identity: $problem for $PREPARE_SECONDS s: $advice"
  done
}

readonly TOKEN_ANSWER='^[[:space:]]*\{([^{}]*,)?[[:space:]]*"access_token"[[:space:]]*:[[:space:]]*"([0-9A-Za-z._~+/=-]+)"[[:space:]]*(,[^{}]*)?\}[[:space:]]*$'
readonly TOKEN_REFUSED='"error_description"[[:space:]]*:[[:space:]]*"([^"\]{1,200})'

# Pauses longer each time, 0.25 to 15 s. Returns 1 once PREPARE_SECONDS are over.
wait_before_retry() {
  preparation_left
  ((LEFT > 0)) || return 1
  pause $((RETRY_MS < LEFT ? RETRY_MS : LEFT))
  RETRY_MS=$((RETRY_MS < 7500 ? RETRY_MS * 2 : 15000))
}

measure_room() { # -> ROOM: the bytes that a download, or what is in it, may have
  ROOM=$(($(free_bytes) - FREE_BYTES))
  if ((ROOM > MAX_BYTES)); then ROOM=$MAX_BYTES; fi
}

refuse_full_disk() { # WHAT
  fail 4 "the disk has no room for $1: $(free_bytes) bytes are free in $SERVER_FOLDER, and $FREE_BYTES of them stay free: free some, then retry"
}

# No file may grow above the limit, regardless of what a header or a listing claims.
limited() {
  trap '' XFSZ
  ulimit -f $((ROOM / 1024))
  exec "$@"
}

# The limit for a listing, which a small archive can make endless: 64 MiB, and half a KiB a file.
listed() {
  trap '' XFSZ
  ulimit -f $((65536 + MAX_ARTIFACT_FILES / 2))
  exec "$@"
}
