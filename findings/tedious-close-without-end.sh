#!/usr/bin/env bash
# tedious: a connection that ended by itself does not say "end" again when it is closed, so waiting for it waits for ever.
#
# The way to close a connection in order is `connection.once("end", done); connection.close()`. Where the server has ended the
# connection before, "end" has been and is not emitted again: nothing keeps the event loop alive, and a program that
# awaits it ends in the middle, with exit code 0 and without a word. A program has to remember that "end" came.
#
# Seen on 2026-11-29 with tedious 19.2.2 and Node 20: a server that closes each connection at once;
#   connect: failed, "end" was emitted: true
#   (nothing more: "closed" is never printed), exit code 0
set -Eeuo pipefail

folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund tedious@19.2.2

cat >try.cjs <<'JS'
const { once } = require("node:events");
const { createServer } = require("node:net");
const { Connection } = require("tedious");
(async () => {
  const server = createServer((socket) => socket.end());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const connection = new Connection({
    server: "127.0.0.1",
    authentication: { type: "default", options: { userName: "a", password: "b" } },
    options: { port: server.address().port, encrypt: false, connectTimeout: 5000, maxRetriesOnTransientErrors: 0 },
  });
  let ended = false;
  connection.on("end", () => (ended = true));
  connection.on("error", () => undefined);
  const failed = await new Promise((resolve) => connection.connect((error) => resolve(error !== undefined)));
  await new Promise((resolve) => setTimeout(resolve, 200));
  console.log(`connect: ${failed ? "failed" : "succeeded"}, "end" was emitted: ${ended}`);
  server.close();
  const end = new Promise((resolve) => connection.once("end", resolve));
  connection.close();
  await end;
  console.log("closed");
})();
JS
exit_code=0
timeout 60 node try.cjs >seen || exit_code=$?
cat seen
echo "exit code $exit_code"
diff seen - <<'SEEN'
connect: failed, "end" was emitted: true
SEEN
((exit_code == 0))
echo "as described"
