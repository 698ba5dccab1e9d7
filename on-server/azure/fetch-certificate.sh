#!/usr/bin/env bash
# Fetches the site's certificate and key from Key Vault with the machine's identity, and loads them into HAProxy without
# a reload. setup-proxy.sh runs it once, then a timer every five minutes, so the first certificate is picked up soon
# after it is in the vault. From then on the vault is only asked again after MAX_AGE_SECONDS.
#
# Exit 0: HAProxy has the vault's certificate (with PLACEHOLDER=1: or a self-signed one, if there was none at all).
# Exit 1: the existing certificate stays. The token and the key are never in an argument or a message.
#
# Parameters (environment): SERVER_FOLDER, TLS_CERTIFICATE (its name in the vault; empty: you provide the file),
# KEY_VAULT_HOST, IDENTITY (resource id; empty: the machine's only one), CERTIFICATE_FILE (tls/site.pem),
# IMDS_ENDPOINT, RETRY_SECONDS (60), MAX_AGE_SECONDS (0), PLACEHOLDER (0 or 1); proxy-process.sh's.
set -Eeuo pipefail
umask 077
export LC_ALL=C PATH="${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

fail() { # CODE MESSAGE
  printf 'certificate: %s\n' "${2//[^[:print:]]/?}" >&2
  exit "$1"
}

parameter() { # NAME DEFAULT PATTERN WHAT
  local value=${!1:-$2}
  [[ ${#value} -le 500 && $value =~ $3 ]] || fail 2 "$1 is \"${value:0:60}\" but must be $4"
  printf -v "$1" %s "$value"
}

main() {
  local loopback='(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?'
  parameter SERVER_FOLDER "" '^/' "an absolute folder"
  parameter TLS_CERTIFICATE "" '^[0-9A-Za-z-]{0,127}$' "the name of a certificate in Key Vault, or nothing"
  parameter KEY_VAULT_HOST "" "^($loopback|[0-9A-Za-z][0-9A-Za-z.-]*(:[0-9]+)?)?\$" "the host name of a vault"
  parameter IDENTITY "" '^(/subscriptions/[0-9A-Fa-f-]{36}/resource[Gg]roups/[0-9A-Za-z_.()-]{1,90}/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/[0-9A-Za-z_-]{3,128})?$' "the resource id of a managed identity"
  parameter CERTIFICATE_FILE tls/site.pem '^[0-9A-Za-z][0-9A-Za-z._-]*(/[0-9A-Za-z][0-9A-Za-z._-]*)*$' "a file below SERVER_FOLDER"
  parameter IMDS_ENDPOINT http://169.254.169.254 "^http://(169\\.254\\.169\\.254|$loopback)\$" "http://169.254.169.254, or http:// on the loopback address"
  parameter RETRY_SECONDS 60 '^[0-9]{1,4}$' "whole seconds"
  parameter MAX_AGE_SECONDS 0 '^[0-9]{1,8}$' "whole seconds"
  parameter PLACEHOLDER 0 '^[01]$' "0 or 1"
  [[ -z $TLS_CERTIFICATE || -n $KEY_VAULT_HOST ]] || fail 2 "TLS_CERTIFICATE needs KEY_VAULT_HOST"
  cd -P -- "$SERVER_FOLDER"
  # shellcheck source=on-server/azure/proxy-process.sh
  . ./proxy-process.sh

  FOLDER=${CERTIFICATE_FILE%/*}
  [[ $CERTIFICATE_FILE == */* ]] || fail 2 "CERTIFICATE_FILE must be in a separate folder"
  mkdir -p -- "$FOLDER"
  exec 9>>"$FOLDER/.lock"
  flock -w 120 9 || fail 1 "another fetch-certificate.sh is running"
  if [[ -e $FOLDER/fetched ]] && (($(date +%s) - $(stat -c %Y "$FOLDER/fetched") < MAX_AGE_SECONDS)); then exit 0; fi

  WORK=$(mktemp -d "$FOLDER/.new-XXXXXX")
  trap 'rm -rf -- "$WORK"' EXIT
  RETRY_END=$(($(uptime_seconds) + RETRY_SECONDS))
  if [[ -z $TLS_CERTIFICATE ]]; then
    [[ -e $CERTIFICATE_FILE ]] || keep_current "there is no certificate in $SERVER_FOLDER/$CERTIFICATE_FILE yet"
  elif fetch && accept; then
    install_certificate "$WORK/site.pem"
    rm -f -- "$FOLDER/placeholder"
    touch -- "$FOLDER/fetched"
  else
    keep_current "$REASON"
  fi
  update_haproxy
}

# No new certificate: the existing one stays. If there is none, PLACEHOLDER=1 creates one so that HAProxy can start.
keep_current() { # REASON
  if [[ $PLACEHOLDER == 0 || (-e $CERTIFICATE_FILE && ! -e $FOLDER/placeholder) ]]; then fail 1 "$1"; fi
  if [[ ! -e $CERTIFICATE_FILE ]]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=bluegreen placeholder" \
      -keyout "$WORK/key" -out "$WORK/certificate" 2>"$WORK/error" || fail 1 "openssl: $(tail -n 1 "$WORK/error")"
    cat -- "$WORK/certificate" "$WORK/key" >"$WORK/site.pem"
    touch -- "$FOLDER/placeholder"
    install_certificate "$WORK/site.pem"
  fi
  printf 'certificate: USERS GET A SELF-SIGNED PLACEHOLDER: %s\n' "${1//[^[:print:]]/?}"
}

# ------------------------------------------------------------------------------------------------- from the vault

# -> 0 and $WORK/bundle (PEM), or 1 and REASON
fetch() {
  local vault=https://$KEY_VAULT_HOST token
  if [[ $KEY_VAULT_HOST =~ ^(127\.0\.0\.1|localhost|\[::1\])(:|$) ]]; then vault=http://$KEY_VAULT_HOST; fi
  obtain_token || return 1
  token=$REPLY
  patiently ask_vault "$vault" "$token" || return 1
  if [[ -e $WORK/bundle.p12 ]]; then
    openssl pkcs12 -in "$WORK/bundle.p12" -nodes -passin pass: -out "$WORK/bundle" 2>"$WORK/error" ||
      openssl pkcs12 -legacy -in "$WORK/bundle.p12" -nodes -passin pass: -out "$WORK/bundle" 2>"$WORK/error" ||
      reject "the PKCS#12 of $TLS_CERTIFICATE is unreadable ($(tail -n 1 "$WORK/error"))"
  fi
}

obtain_token() { # -> REPLY
  local url identity=${IDENTITY//\//%2F}
  url="$IMDS_ENDPOINT/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net"
  identity=${identity//\(/%28}
  if [[ -n $IDENTITY ]]; then url+="&msi_res_id=${identity//\)/%29}"; fi
  patiently ask_identity "$url"
}

# COMMAND returns 0 for success, 1 with REASON if it is final, 2 with REASON to be retried until RETRY_SECONDS are over.
patiently() { # COMMAND ARGUMENT...
  local code pause=1
  while true; do
    code=0
    "$@" || code=$?
    ((code == 2 && $(uptime_seconds) + pause <= RETRY_END)) || return "$code"
    sleep "$pause"
    pause=$((pause < 8 ? pause * 2 : 15))
  done
}

ask_identity() { # URL -> REPLY
  local answer status
  answer=$(curl -q -g -sS --noproxy '*' --proto '=http' --connect-timeout 2 --max-time 5 -H 'Metadata: true' \
    -w '\n%{http_code}' "$1" 2>"$WORK/error" | tail -c 65536 | tr -d '\0') || true
  status=${answer##*$'\n'} answer=${answer%$'\n'*}
  REASON="no token for the identity: $IMDS_ENDPOINT answered ${status:0:3}"
  case $status in
    200)
      REPLY=$(node -e "$READ_TOKEN" <<<"$answer") && return 0
      REASON+=" without a readable access_token"
      return 1
      ;;
    404 | 410 | 429 | 5??) return 2 ;;
    [1-4]??)
      REASON+=": is ${IDENTITY:-an identity} assigned to this machine?"
      return 1
      ;;
    *)
      REASON="no token for the identity: no answer from $IMDS_ENDPOINT ($(head -n 1 "$WORK/error")): is this an Azure virtual machine?"
      return 2
      ;;
  esac
}

ask_vault() { # VAULT TOKEN -> $WORK/bundle or $WORK/bundle.p12
  local only='=https' answer status
  if [[ $1 == http:* ]]; then only='=http'; fi
  answer=$(curl -q -g -sS --noproxy '*' --proto "$only" --connect-timeout 10 --max-time 30 --config - -w '\n%{http_code}' \
    "$1/secrets/$TLS_CERTIFICATE?api-version=7.4" <<<"header = \"Authorization: Bearer $2\"" 2>"$WORK/error" |
    node -e "$READ_SECRET" "$WORK") || true
  status=${answer%% *}
  REASON="the vault $KEY_VAULT_HOST answered $answer"
  case $status in
    200)
      [[ $answer != *unreadable* ]] && return 0
      return 1
      ;;
    404)
      REASON+=": is there a certificate $TLS_CERTIFICATE?"
      return 1
      ;;
    401 | 403)
      REASON+=": does the identity have Key Vault Secrets User?"
      return 2 # a new role assignment takes minutes to apply
      ;;
    429 | 5??) return 2 ;;
    [1-4]??) return 1 ;;
    *)
      REASON="no answer from the vault $KEY_VAULT_HOST ($(head -n 1 "$WORK/error"))"
      return 2
      ;;
  esac
}

# shellcheck disable=SC2016
readonly READ_TOKEN='
  const token = JSON.parse(require("fs").readFileSync(0, "utf8")).access_token;
  if (!/^[0-9A-Za-z._~+\/=-]+$/.test(token)) process.exit(1);
  console.log(token);' READ_SECRET='
  const fs = require("fs");
  const [, body, status] = /^([^]*)\n(\d{3})$/.exec(fs.readFileSync(0, "utf8")) ?? ["", "", "000"];
  let answer = {};
  try { answer = JSON.parse(body); } catch {}
  if (status !== "200") {
    const code = /^[A-Za-z]{1,60}$/.exec(answer?.error?.code ?? "");
    console.log(code === null ? status : `${status} (${code[0]})`);
  } else if (typeof answer?.value !== "string") {
    console.log("200 with an unreadable secret");
  } else if (answer.contentType === "application/x-pkcs12") {
    fs.writeFileSync(process.argv[1] + "/bundle.p12", Buffer.from(answer.value, "base64"));
    console.log(status);
  } else {
    fs.writeFileSync(process.argv[1] + "/bundle", answer.value);
    console.log(status);
  }'

# $WORK/bundle -> 0 and $WORK/site.pem (the certificate of the key, its chain, the key), or 1 and REASON
accept() {
  local part leaf="" chain=() public start
  openssl pkey -in "$WORK/bundle" -passin pass: -out "$WORK/key" 2>/dev/null ||
    reject "$TLS_CERTIFICATE has no readable key: is it exportable?" || return 1
  public=$(openssl pkey -in "$WORK/key" -pubout)
  awk -v part="$WORK/part-" '
    /^-----BEGIN CERTIFICATE-----/ { n++; on = 1 }
    on { print > (part n) }
    /^-----END CERTIFICATE-----/ { on = 0 }' "$WORK/bundle"
  for part in "$WORK"/part-*; do
    openssl x509 -in "$part" -out "$WORK/${part##*/}.pem" 2>/dev/null ||
      reject "$TLS_CERTIFICATE contains no readable certificate" || return 1
    part=$WORK/${part##*/}.pem
    if [[ -z $leaf && $(openssl x509 -in "$part" -noout -pubkey) == "$public" ]]; then leaf=$part; else chain+=("$part"); fi
  done
  [[ -n $leaf ]] || reject "the key of $TLS_CERTIFICATE does not belong to its certificate" || return 1
  openssl x509 -in "$leaf" -noout -checkend 0 >/dev/null ||
    reject "$TLS_CERTIFICATE has expired ($(openssl x509 -in "$leaf" -noout -enddate))" || return 1
  start=$(openssl x509 -in "$leaf" -noout -startdate)
  (($(date -d "${start#*=}" +%s) <= $(date +%s))) || reject "$TLS_CERTIFICATE is not valid yet ($start)" || return 1
  cat -- "$leaf" "${chain[@]}" "$WORK/key" >"$WORK/site.pem"
}

reject() { # REASON
  REASON=$1
  return 1
}

install_certificate() { # FILE: whole or not at all
  cmp -s -- "$1" "$CERTIFICATE_FILE" && return 0
  CHANGED=1
  sync -- "$1"
  mv -fT -- "$1" "$CERTIFICATE_FILE"
}

# ------------------------------------------------------------------------------------------------------ to HAProxy

# Asks HAProxy which certificate it has, so that the next run completes one that was interrupted.
update_haproxy() {
  local current wanted
  current=$(current_fingerprint) wanted=$(openssl x509 -in "$CERTIFICATE_FILE" -noout -fingerprint -sha1)
  wanted=${wanted#*=} wanted=${wanted//:/}
  # Not running, not configured yet, or up to date.
  if [[ -z $current || ($current == "$wanted" && $CHANGED == 0) ]]; then return 0; fi
  # An empty line would end the command.
  { printf 'set ssl cert %s <<\n' "$CERTIFICATE_FILE" && grep -v '^[[:space:]]*$' -- "$CERTIFICATE_FILE" && printf '\n'; } |
    ask_haproxy >"$WORK/answer" || true
  printf 'commit ssl cert %s\n' "$CERTIFICATE_FILE" | ask_haproxy >>"$WORK/answer" || true
  if [[ $(current_fingerprint) == "$wanted" ]] && grep -q Success "$WORK/answer"; then
    printf 'certificate: HAProxy has it now, without a reload: %s\n' "$(openssl x509 -in "$CERTIFICATE_FILE" -noout -subject -enddate | tr '\n' ' ')"
    return 0
  fi
  printf 'abort ssl cert %s\n' "$CERTIFICATE_FILE" | ask_haproxy >/dev/null || true
  reload_proxy || fail 1 "HAProxy accepted the new certificate neither at run time ($(tr '\n' ' ' <"$WORK/answer")) nor with a reload"
  printf 'certificate: HAProxy was reloaded with it\n'
}

current_fingerprint() { # nothing, if HAProxy has no such certificate
  [[ -S admin.sock ]] || return 0
  printf 'show ssl cert %s\n' "$CERTIFICATE_FILE" | ask_haproxy 2>/dev/null | sed -n 's/^SHA1 FingerPrint: //p' || true
}

REASON="" CHANGED=0
main
