/** A common HAProxy set-up: two servers with weights; each change is a reload, or a runtime command. */
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { answers, HOST, openPlace, run, weightOfGreen, start, until } from "./place.mjs";

const MAX_WEIGHT = 100;

/**
 * @param way "reload", or "runtime" for `set server ... weight`
 * @param keeps clients on their sides while traffic is divided, by HAProxy's cookie
 */
export async function startPlainHaproxy(way = "reload", instances = "node", keeps = false) {
  const place = await openPlace(instances);
  const file = join(place.folder, "haproxy.cfg");
  const pidFile = join(place.folder, "haproxy.pid");
  const write = (green) => writeFileSync(file, configuration(place, green, keeps));
  write(50);
  const proxy = start(
    "haproxy",
    ["-W", "-q", "-S", join(place.folder, "master.sock"), "-f", file, "-p", pidFile],
    { cwd: place.folder },
  );
  place.atEnd(proxy.stop);
  await answers(place.origin);
  const change = async (traffic) => {
    const green = weightOfGreen(traffic);
    if (way === "reload") {
      write(green);
      run("haproxy", ["-c", "-q", "-f", file]);
      // The master re-executes itself with each reload, and does not listen meanwhile.
      await until(
        () => command(join(place.folder, "master.sock"), "reload").then(always, isNotListening),
        "a reload",
      );
      return;
    }
    const set = (server, weight) => `set server users/${server} weight ${weight}`;
    // The increase comes first, so that one server always has a weight.
    const orders = [set("blue", MAX_WEIGHT - green), set("green", green)];
    await command(join(place.folder, "admin.sock"), (green > 50 ? orders.reverse() : orders).join("; "));
  };
  return { ...place, change };
}

function configuration({ folder, port, blue, green: greenPort }, green, keeps) {
  const sides = keeps && green > 0 && green < 100;
  const side = (name) => (sides ? ` cookie ${name}` : "");
  return `global
  stats socket ${join(folder, "admin.sock")} mode 600 level admin expose-fd listeners
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 75s
  option forwardfor
frontend users
  bind ${HOST}:${port}
  http-request set-header X-Forwarded-Proto http
  default_backend users
backend users
${sides ? "  cookie side insert indirect nocache\n" : ""}\
  server blue ${HOST}:${blue} weight ${MAX_WEIGHT - green}${side("blue")}
  server green ${HOST}:${greenPort} weight ${green}${side("green")}
`;
}

function command(socket, text) {
  return new Promise((resolve, reject) => {
    let output = "";
    const connection = connect(socket, () => connection.write(`${text}\n`));
    connection.on("data", (data) => (output += data));
    connection.on("error", reject);
    connection.on("close", () => resolve(output));
  });
}

const always = () => true;

function isNotListening(error) {
  if (!["ECONNREFUSED", "ECONNRESET", "ENOENT", "EPIPE"].includes(error.code)) throw error;
  return false;
}
