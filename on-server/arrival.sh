# A proxy of several is not ready (its health endpoint answers 503) from its start until its director has compared its state
# with the other proxies'. Both functions run in the proxy's folder, and do nothing for a single proxy.

not_ready() {
  [[ -e announced-sequence ]] || return 0
  : >not-ready
  if [[ -e health.map ]]; then
    printf 'ready no\nsequence %s\n' "$(<announced-sequence)" >.health.map.new
    mv -f .health.map.new health.map
  fi
}

# Repeats it while no other proxy answers, and while this one is behind: a step ends both, or the others going away.
arrive() {
  [[ -e announced-sequence ]] || return 0
  until node director.js arrive >arrival.log 2>&1; do sleep 5; done
}
