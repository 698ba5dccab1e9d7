# A proxy of several is not ready (its health endpoint answers 503) from its start until its director has compared its state
# with the other proxies'. Both functions run in the proxy's folder, and do nothing for a single proxy.

not_ready() {
  [[ -e announced-sequence ]] || return 0
  : >not-ready
  announce_ready no
}

# Repeats it while no other proxy answers, and while this one is behind: a step ends both, or the others going away. A
# director that can't compare, because Node.js is broken for example, must not keep all proxies from users: after
# ARRIVAL_SECONDS without a comparison the proxy serves unverified.
arrive() {
  local arriving exit_code end
  [[ -e not-ready || -e announced-sequence ]] || return 0
  arriving=$BASHPID
  echo "$arriving" >arrival.pid # a newer one ends this one
  end=$(($(uptime_seconds) + ${ARRIVAL_SECONDS:-10}))
  while [[ $(<arrival.pid) == "$arriving" ]]; do
    if [[ ! -e announced-sequence ]]; then # it is the only proxy by now
      serve_uncompared
      return
    fi
    exit_code=0
    timeout --kill-after=1 15 node director.js arrive >arrival.log 2>&1 || exit_code=$?
    if ((exit_code == 0)); then return 0; fi
    if ((exit_code == 6)); then # it has compared
      end=""
    elif [[ -n $end ]] && (($(uptime_seconds) >= end)); then
      printf '{"at":"%s","found":"unverified","reason":"its director did not run (exit code %s)"}\n' \
        "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$exit_code" >.arrival.json.new && mv -f .arrival.json.new arrival.json
      if serve_uncompared; then end=""; fi
    fi
    if [[ -n $end ]]; then sleep 1; else sleep 5; fi
  done
}

# Without the director. NGINX and the embedded proxy look for the file at each request.
serve_uncompared() {
  announce_ready yes || return
  rm -f not-ready
  if [[ -S admin.sock && -e health.map ]]; then # not every machine has more than Perl to speak to a socket
    # shellcheck disable=SC2016
    perl -MIO::Socket::UNIX -e '
      alarm 5;
      my $haproxy = IO::Socket::UNIX->new("admin.sock") or die "admin.sock: $!\n";
      print $haproxy "set map health.map ready yes\n";
      $haproxy->flush;
      print <$haproxy>;'
  fi
}

announce_ready() { # yes|no, for HAProxy's next start
  local sequence=0
  [[ -e health.map ]] || return 0
  if [[ -e announced-sequence ]]; then sequence=$(<announced-sequence); fi
  printf 'ready %s\nsequence %s\n' "$1" "$sequence" >.health.map.new && mv -f .health.map.new health.map
}
