/**
 * The instances of two releases in one process: both have the same rows, as with a shared database.
 *
 *   node development/bench/slots.mjs BLUE_PORT GREEN_PORT
 */
import { createServer } from "node:http";

const HOST = "127.0.0.1";
const ports = process.argv.slice(2).map(Number);
const page = "A page of two kilobytes. ".repeat(80);
const rows = [];

["1.0.0-1", "1.1.0-2"].forEach((releaseId, slot) => {
  const server = createServer((request, response) => {
    if (request.method === "POST") return void read(request).then((text) => create(text, response));
    const [, id] = /^\/rows\/(\d+)$/.exec(request.url) ?? [];
    if (id === undefined) return answer(response, 200, "text/plain", page);
    const row = rows[Number(id)];
    return answer(response, row === undefined ? 404 : 200, "application/json", JSON.stringify({ id, row }));
  });
  server.keepAliveTimeout = 120_000;
  server.listen(ports[slot], HOST);

  function create(text, response) {
    const id = rows.push(JSON.parse(text).title) - 1;
    answer(response, 201, "application/json", JSON.stringify({ id }));
  }

  function answer(response, status, type, body) {
    response.writeHead(status, {
      "x-release-id": releaseId,
      "content-type": type,
      "content-length": Buffer.byteLength(body),
    });
    response.end(body);
  }
});

async function read(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}
