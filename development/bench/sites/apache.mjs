/** Apache with mod_proxy_balancer: its balancer-manager sets the load factors at run time, member by member. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { answers, HOST, openPlace, weightOfGreen, start } from "./place.mjs";

const MODULES = "/usr/lib/apache2/modules";
const NEEDED = [
  ...["mpm_event", "authz_core", "unixd", "proxy", "proxy_http", "proxy_balancer"],
  ...["lbmethod_byrequests", "slotmem_shm"],
];

export async function startApache() {
  const place = await openPlace();
  const file = join(place.folder, "apache.conf");
  writeFileSync(file, configuration(place));
  const proxy = start("apache2", ["-f", file, "-D", "FOREGROUND"]);
  place.atEnd(proxy.stop);
  await answers(place.origin);
  const manager = `${place.origin}/balancer-manager`;
  const [, nonce] = /nonce=([^"&]+)/.exec(await (await fetch(manager)).text());
  const set = async (member, weight) => {
    // A load factor is from 1 to 100: a member with 0 is disabled.
    const body = new URLSearchParams({
      ...{ b: "users", w: `http://${HOST}:${member}`, nonce },
      ...{ w_lf: Math.max(1, weight), w_status_D: weight === 0 ? 1 : 0 },
    });
    // It requires the referer (against forgery), and the content type without a charset.
    const headers = { referer: manager, "content-type": "application/x-www-form-urlencoded" };
    const response = await fetch(manager, { method: "POST", headers, body: `${body}` });
    if (!response.ok) throw new Error(`apache: ${response.status}`);
    await response.text();
  };
  const change = async (traffic) => {
    const green = weightOfGreen(traffic);
    const orders = [() => set(place.blue, 100 - green), () => set(place.green, green)];
    // The increase comes first, so that one member is always enabled.
    for (const order of green > 50 ? orders.reverse() : orders) await order();
  };
  return { ...place, change };
}

function configuration({ folder, port, blue, green }) {
  const there = new Set(readdirSync(MODULES));
  const modules = NEEDED.filter((name) => there.has(`mod_${name}.so`));
  return `ServerRoot ${folder}
ServerName ${HOST}
PidFile ${join(folder, "apache.pid")}
DefaultRuntimeDir ${folder}
ErrorLog ${join(folder, "error.log")}
Listen ${HOST}:${port}
${modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join("\n")}
# A process all of whose threads are busy closes the connections that are idle: one has threads for all.
ThreadLimit 128
ThreadsPerChild 128
MaxSpareThreads 512
MaxRequestWorkers 512
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 75
<Proxy balancer://users>
  BalancerMember http://${HOST}:${blue} loadfactor=50
  BalancerMember http://${HOST}:${green} loadfactor=50
</Proxy>
<Location /balancer-manager>
  SetHandler balancer-manager
</Location>
ProxyPass /balancer-manager !
ProxyPass / balancer://users/
`;
}
