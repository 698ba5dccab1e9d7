# ------------------------------------------------------------------------------------------------------- clean up
# A part of install-release.sh: removes old releases that are not in use.

# What killed installs left. Only one install runs at a time, so nothing of it is in use.
remove_left_overs() {
  rm -rf -- releases/.staging-* downloads/* || true
}

# Keeps the newest KEEP_RELEASES by their run, and all that are in use. The caller ignores a failure.
clean_up() {
  local folder id kept=0 ids=""
  remove_left_overs
  for folder in releases/*-*; do
    id=${folder##*/}
    if [[ $id =~ -([0-9]+)$ ]]; then ids+="${BASH_REMATCH[1]} $id"$'\n'; fi
  done
  while read -r _ id; do
    if [[ -z $id ]]; then continue; fi
    if ((kept < KEEP_RELEASES)); then
      kept=$((kept + 1))
    elif ! release_in_use "$id"; then
      rm -rf -- "releases/$id"
    fi
  done < <(sort -rn <<<"$ids")
}

# Whether a slot is linked to it or was last healthy with it, the caller protects it, or a process runs from it.
release_in_use() { # RELEASE
  local slot file files=()
  for slot in blue green; do
    if [[ $(linked_release "$slot") == "$1" || $(last_healthy "$slot") == "$1" ]]; then return 0; fi
  done
  if [[ " $PROTECTED_RELEASES " == *" $1 "* ]]; then return 0; fi
  mapfile -t files < <(grep -lzxF -- "BLUEGREEN_RELEASE_ID=$1" /proc/[0-9]*/environ 2>/dev/null || true)
  for file in "${files[@]}"; do
    if read_instance "${file//[^0-9]/}"; then return 0; fi
  done
  return 1
}
