# -------------------------------------------------------------------------------------------- unpack the release
# A part of install-release.sh: checks what an archive contains, and unpacks it without filling the disk.

# The first bytes give the format, not the name. The listing is checked before anything is unpacked. The unpacked files
# are checked again, because a listing can be wrong.
unpack() { # ARCHIVE FOLDER
  local magic="" odd
  measure_room
  ((ROOM > 0)) || refuse_full_disk "what is in the archive"
  IFS= read -r -N 4 magic <"$1" || true
  case $magic in
    PK$'\x03\x04') unpack_zip "$@" ;;
    $'\x1f\x8b'*) unpack_with_tar "$@" ;;
    *) fail 4 "the artifact is neither a zip nor a .tar.gz file: publish one of these" ;;
  esac
  odd=$(find "$2" -mindepth 1 \( ! -type d ! -type f -o -type f \( -links +1 -o -perm /6000 \) \) -print -quit)
  [[ -z $odd ]] || fail 4 "the archive contains more than files and folders: ${odd#"$2"/}"
  refuse_huge "$2"
}

is_huge() { # FOLDER
  local size
  size=$(du -sb -- "$1" 2>/dev/null) || return 1
  ((${size%%[!0-9]*} > (ROOM == MAX_BYTES ? MAX_BYTES + MAX_ARTIFACT_FILES * 4096 : ROOM)))
}

refuse_huge() { # FOLDER
  is_huge "$1" || return 0
  ((ROOM == MAX_BYTES)) || refuse_full_disk "what is in the archive"
  fail 4 "the archive unpacks to more than $MAX_BYTES bytes: build it from less"
}

# unpacking FOLDER COMMAND...: ends the command as soon as the folder is too large. The sizes in a zip's listing can be
# wrong, and the disk would be full before a check afterwards.
unpacking() {
  local folder=$1 code=0
  shift
  limited "$@" <&0 7>&- 8>&- 9>&- &
  CHILD=$!
  keep_small "$folder" "$CHILD" </dev/null >/dev/null 2>&1 7>&- 8>&- 9>&- &
  wait "$CHILD" || code=$?
  CHILD=
  return "$code"
}

keep_small() { # FOLDER PID
  trap - EXIT ERR TERM INT HUP
  while kill -0 "$2"; do
    if is_huge "$1"; then kill -KILL "$2"; fi
    sleep 0.5
  done
}

# unzip reads the names in an archive from Windows in a DOS character set, which changes names beyond ASCII: Python
# unpacks those.
unpack_zip() { # ARCHIVE FOLDER
  local unzip python
  unzip=$(command -v unzip) || true
  python=$(command -v python3) || true
  [[ -n $unzip$python ]] || fail 1 "neither unzip nor python3 is on PATH: install one of them on this server"
  if [[ -z $unzip ]] || { [[ -n $python ]] && is_of_windows "$1"; }; then
    unpack_with_python "$@"
  else
    unpack_with_unzip "$@"
  fi
}

is_of_windows() { # ARCHIVE
  attend listed unzip -Z -s "$1" >"$WORK/listing" 2>/dev/null || true
  awk '$2 ~ /^[0-9]+\.[0-9]$/ && $3 != "unx" { found = 1; exit } END { exit !found }' "$WORK/listing"
}

unpack_with_unzip() {
  LC_ALL=C.UTF-8 attend listed unzip -Z -s "$1" >"$WORK/listing" 2>"$WORK/error" || reject_archive "$WORK/error" "$WORK/listing"
  check_entries zip
  LC_ALL=C.UTF-8 unpacking "$2" unzip -qq -n "$1" -d "$2" >"$WORK/error" 2>&1 || reject_unpacked "$2"
}

unpack_with_python() {
  attend listed python3 -I -c "$PYTHON_ZIP" list "$1" >"$WORK/listing" 2>"$WORK/error" || reject_archive "$WORK/error"
  check_entries plain
  unpacking "$2" python3 -I -c "$PYTHON_ZIP" unpack "$1" "$2" >/dev/null 2>"$WORK/error" || reject_unpacked "$2"
}

unpack_with_tar() {
  LC_ALL=C.UTF-8 attend listed tar -tzvPf "$1" --force-local --numeric-owner --quoting-style=escape >"$WORK/listing" 2>"$WORK/error" ||
    reject_archive "$WORK/error"
  check_entries tar
  unpacking "$2" tar -xzf "$1" --force-local --no-same-owner --no-same-permissions -C "$2" 2>"$WORK/error" ||
    reject_unpacked "$2"
}

reject_unpacked() { # FOLDER: it is too large, or the tool failed
  refuse_huge "$1"
  reject_archive "$WORK/error"
}

reject_archive() { # FILE...: the tool's output
  local file text=""
  for file in "$@"; do text=${text:-$(first_line "$file")}; done
  fail 4 "the archive cannot be unpacked: ${text:-no reason given}: build and publish it again"
}

check_entries() { # zip | tar | plain: the format of $WORK/listing
  local problem size
  problem=$(awk -v format="$1" -v max_entries="$MAX_ARTIFACT_FILES" -v max_bytes="$MAX_BYTES" "$ENTRY_RULES" "$WORK/listing") ||
    fail 4 "the archive is refused: ${problem:-its listing cannot be read}: build it from plain files and folders"
  size=$problem # a listing without a problem
  ((size <= ROOM || ROOM == MAX_BYTES)) || refuse_full_disk "what is in the archive, $size bytes"
}

# One rule set for every listing. zip: control characters are shown as ^X; tar: as an escape; plain: as a backslash.
# shellcheck disable=SC2016
readonly ENTRY_RULES='
  function refuse(why, name) {
    if (refused) return
    gsub(/[^ -~]/, "?", name)
    printf "%s%s", why, (name == "" ? "" : ": " substr(name, 1, 100))
    refused = 1
    exit 1
  }
  function entry(kind, size, name,    plain) {
    if (++count > max_entries) return refuse("it has more than " max_entries " files and folders (maxArtifactFiles in the environment file)", "")
    if (kind == "encrypted") return refuse("an encrypted entry", name)
    if (kind !~ /^[-d?]$/) return refuse("it has an entry that is neither file nor folder (" kind ")", name)
    if (size !~ /^[0-9]+$/) return refuse("its listing cannot be read", name)
    total += size
    if (total > max_bytes) return refuse("it unpacks to more than " max_bytes " bytes", "")
    if (name ~ /\\/ || name ~ /[\001-\037\177]/ || (format == "zip" && name ~ /\^[?@-_]/))
      return refuse("a backslash or control character in a name", name)
    if (name ~ /^\//) return refuse("an absolute name", name)
    if (("/" name "/") ~ /\/\.\.\//) return refuse("a name that leaves the folder", name)
    if (length(name) > 1000) return refuse("a name of more than 1000 bytes", name)
    plain = name
    sub(/^\.\//, "", plain); sub(/\/$/, "", plain)
    if (plain == "" && format == "tar") return # "./", the folder itself, is nothing to unpack
    kept++
    if (("/" plain "/") ~ /\/\.?\//) return refuse("a name with an empty part", name)
    if (plain in seen) return refuse("two entries of one name", name)
    seen[plain] = 1
  }
  function after(fields, line) { # the name begins one blank after so many fields, and may have blanks itself
    while (fields-- > 0) { match(line, /^ *[^ ]+/); line = substr(line, RLENGTH + 1) }
    return substr(line, 2)
  }
  function zip_entry(line,    part) {
    split(line, part, " +")
    entry(part[5] ~ /^[BT]/ ? "encrypted" : substr(line, 1, 1), part[4], after(8, line))
  }
  format == "plain" { entry($1, $2, after(2, $0)) }
  format == "tar" { entry(substr($1, 1, 1), $3, after(5, $0)) }
  format == "zip" && NR > 2 { if (NR > 3) zip_entry(held); held = $0 } # two lines of heading, one of totals
  END { if (!refused && !kept) refuse("it is empty", ""); if (refused) exit 1; printf "%.0f", total + 4096 * kept }'

# Names are UTF-8 if they are marked as such, or were packed on Unix (zip on Linux sets no mark); otherwise they are DOS.
readonly PYTHON_ZIP='
import os, stat, sys, zipfile
UNIX, ENCRYPTED, UTF8 = 3, 1, 0x800
KINDS = {stat.S_IFREG: "-", stat.S_IFDIR: "d", 0: "-", stat.S_IFLNK: "l"}
def name_of(info):
    if "\0" in info.orig_filename: return "\\"
    known = info.create_system != UNIX or info.flag_bits & UTF8 or info.filename != info.orig_filename
    return info.filename if known else info.filename.encode("cp437").decode("utf-8")
def line_of(info):
    kind = "encrypted" if info.flag_bits & ENCRYPTED else KINDS.get(stat.S_IFMT(info.external_attr >> 16), "o")
    name = "".join("\\" if ord(c) < 32 or 127 <= ord(c) < 160 else c for c in name_of(info))
    return ("%s %d %s\n" % (kind, info.file_size, name)).encode("utf-8")
def unpack(archive, info, folder):
    info.filename = name_of(info)
    target = archive.extract(info, folder)
    if info.external_attr >> 16 & 0o111 and not os.path.isdir(target): os.chmod(target, 0o750)
def main(mode, path, folder=None):
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if mode == "list": sys.stdout.buffer.write(line_of(info))
            else: unpack(archive, info, folder)
try:
    main(*sys.argv[1:])
except Exception as error:
    sys.exit("python3: %s" % (error,))
'
