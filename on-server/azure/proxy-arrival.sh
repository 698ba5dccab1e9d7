#!/usr/bin/env bash
# HAProxy's service runs it in the proxy's folder before each start (not-ready) and after it (arrive). Not at a reload: a
# proxy that was ready stays ready. Delivered by setup-proxy.sh. See arrival.sh.
set -Eeuo pipefail
umask 027

#include "../chosen-environment.sh"
drop_habits
export PATH="${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#include "../uptime.sh"
#include "../arrival.sh"

case "${1:-}" in
  not-ready) not_ready ;;
  arrive) arrive ;;
  *)
    echo "usage: proxy-arrival.sh not-ready|arrive" >&2
    exit 2
    ;;
esac
