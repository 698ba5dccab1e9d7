/**
 * One instance of an application, as a process: it answers its proxy also while a test synthesizes or waits.
 *
 *   node instance.mjs PORT RELEASE_ID STATUS
 */
import { createServer } from "node:http";

const [port, releaseId, status] = process.argv.slice(2);
createServer((_, response) => {
  response.writeHead(Number(status), { "x-release-id": releaseId }).end("hello");
}).listen(Number(port), "127.0.0.1");
