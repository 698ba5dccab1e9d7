#!/usr/bin/env bash
# Stands in for docker in the test of examples/custom-installer: containers are processes of a small web server. An image
# whose digest begins with "bad" is not healthy, one that begins with "none" is not there.
set -Eeuo pipefail

folder=$SERVER_FOLDER/containers
mkdir -p -- "$folder"
last=${*: -1}

site='
  const { createServer } = require("node:http");
  const { PORT, RELEASE_ID, STATUS } = process.env;
  createServer((_, response) => {
    response.writeHead(Number(STATUS), { "x-release-id": RELEASE_ID }).end(RELEASE_ID);
  }).listen(Number(PORT), "127.0.0.1");'

# Whatever works in the server's folder ends with it.
start() {
  mapfile -t variables <"$folder/$1/variables"
  cd -- "$SERVER_FOLDER"
  env "${variables[@]}" setsid node -e "$site" >/dev/null 2>&1 </dev/null 9>&- &
  echo $! >"$folder/$1/pid"
}

end() {
  local pid
  pid=$(<"$folder/$1/pid")
  kill "$pid" 2>/dev/null || return 0
  while [[ -d /proc/$pid ]] && ! grep --quiet ') Z ' "/proc/$pid/stat" 2>/dev/null; do sleep 0.02; done
}

case $1 in
  pull) [[ $last != *@sha256:none* ]] ;;
  container) [[ -d $folder/$last ]] ;;
  run)
    variables=(STATUS=200)
    if [[ $last == *@sha256:bad* ]]; then variables=(STATUS=500); fi
    while (($# > 1)); do
      case $1 in
        --name) name=$2 ;;
        --env) variables+=("$2") ;;
        *) ;;
      esac
      shift
    done
    mkdir -- "$folder/$name"
    printf '%s\n' "${variables[@]}" >"$folder/$name/variables"
    start "$name"
    ;;
  start) start "$last" ;;
  stop) end "$last" ;;
  rm)
    end "$last"
    rm -r -- "${folder:?}/$last"
    ;;
  rename) mv -- "$folder/$2" "$folder/$3" ;;
  *) exit 125 ;;
esac
