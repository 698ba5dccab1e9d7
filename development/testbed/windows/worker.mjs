/**
 * A worker process of IIS: serves the folder of one release, on a socket. behaviour.json in that folder changes what it
 * does: `status` and `body` of each answer, `crashes` at the start, `silent` (no answer), `ignoresStop`.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const [, , folder, socket, directories] = process.argv;
const behaviourFile = join(folder, "behaviour.json");
const behaviour = existsSync(behaviourFile) ? JSON.parse(readFileSync(behaviourFile, "utf8")) : {};
if (behaviour.crashes) process.exit(3);

process.on("SIGTERM", () => {
  if (!behaviour.ignoresStop) process.exit(0);
});

createServer((request, response) => {
  if (behaviour.silent) return;
  const path = decodeURIComponent(request.url.split("?")[0]);
  const content = behaviour.body ?? read(path);
  response.writeHead(behaviour.status ?? (content === undefined ? 404 : 200), { connection: "close" });
  response.end(content ?? "not found");
}).listen(socket);

/** The longest virtual directory wins, as in IIS. Configuration is never served. */
function read(path) {
  if (/\/web\.config$/i.test(path)) return undefined;
  const virtual = JSON.parse(directories)
    .filter(({ path: prefix }) => path.toLowerCase().startsWith(`${prefix.toLowerCase()}/`))
    .sort((one, other) => other.path.length - one.path.length)[0];
  const base = virtual?.folder ?? folder;
  const file = find(base, path.slice(virtual?.path.length ?? 0));
  try {
    return file === undefined ? undefined : readFileSync(file);
  } catch {
    return undefined; // a folder
  }
}

/** Names are found in any case. */
function find(base, path) {
  let at = base;
  for (const part of path.split("/").filter((one) => one !== "")) {
    if (part === ".." || !existsSync(at)) return undefined;
    const name = readdirSync(at).find((one) => one.toLowerCase() === part.toLowerCase());
    if (name === undefined) return undefined;
    at = join(at, name);
  }
  return at;
}
