/** Caddy: each change loads a configuration over its admin API. 2.6 has no weights, so a slot is listed several times. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { answers, freePort, HOST, openPlace, weightOfGreen, start } from "./place.mjs";

const TWENTIETHS = 20;

export async function startCaddy() {
  const place = await openPlace();
  const admin = await freePort();
  const file = join(place.folder, "caddy.json");
  writeFileSync(file, JSON.stringify(configuration(place, admin, 50)));
  const env = { ...process.env, XDG_DATA_HOME: place.folder, XDG_CONFIG_HOME: place.folder };
  const proxy = start("caddy", ["run", "--config", file], { env, stdio: "ignore" });
  place.atEnd(proxy.stop);
  await answers(place.origin);
  const change = async (traffic) => {
    const response = await fetch(`http://${HOST}:${admin}/load`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(configuration(place, admin, weightOfGreen(traffic))),
    });
    if (!response.ok) throw new Error(`caddy: ${await response.text()}`);
  };
  return { ...place, change };
}

function configuration({ port, blue, green: greenPort, folder }, admin, green) {
  const greens = Math.round((green * TWENTIETHS) / 100);
  const upstreams = Array.from({ length: TWENTIETHS }, (_, index) => ({
    dial: `${HOST}:${index < greens ? greenPort : blue}`,
  }));
  return {
    admin: { listen: `${HOST}:${admin}` },
    logging: { logs: { default: { writer: { output: "file", filename: join(folder, "caddy.log") } } } },
    apps: {
      http: {
        servers: {
          users: {
            listen: [`${HOST}:${port}`],
            automatic_https: { disable: true },
            routes: [
              {
                handle: [
                  {
                    handler: "reverse_proxy",
                    upstreams,
                    load_balancing: { selection_policy: { policy: "random" } },
                    // Connections of an earlier configuration return to a pool that is no longer used: they must end.
                    transport: { protocol: "http", keep_alive: { idle_timeout: "1s" } },
                  },
                ],
              },
            ],
          },
        },
      },
    },
  };
}
