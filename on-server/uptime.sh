# Of the monotonic clock; bash's SECONDS follow the wall clock.
uptime_seconds() {
  local up
  read -r up _ </proc/uptime
  printf %s "${up%%.*}"
}
