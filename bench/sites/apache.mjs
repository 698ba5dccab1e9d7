/** Apache with mod_proxy_balancer: load factors in the configuration, and a graceful restart with each change of them. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { answers, HOST, openPlace, run, shareOfGreen, start } from "./place.mjs";

const MODULES = "/usr/lib/apache2/modules";
const NEEDED = [
  ...["mpm_event", "authz_core", "unixd", "proxy", "proxy_http", "proxy_balancer"],
  ...["lbmethod_byrequests", "slotmem_shm"],
];

export async function startApache() {
  const place = await openPlace();
  const file = join(place.folder, "apache.conf");
  const write = (green) => writeFileSync(file, configuration(place, green));
  write(50);
  const proxy = start("apache2", ["-f", file, "-D", "FOREGROUND"]);
  place.atEnd(proxy.stop);
  await answers(place.origin);
  const change = (traffic) => {
    write(shareOfGreen(traffic));
    run("apache2", ["-f", file, "-k", "graceful"]);
  };
  return { ...place, change };
}

function configuration({ folder, port, blue, green: greenPort }, green) {
  const there = new Set(readdirSync(MODULES));
  const modules = NEEDED.filter((name) => there.has(`mod_${name}.so`));
  // A load factor is from 1 to 100: whoever shall get nothing is not there.
  const member = (listens, factor) =>
    factor === 0 ? "" : `  BalancerMember http://${HOST}:${listens} loadfactor=${factor}\n`;
  return `ServerRoot ${folder}
ServerName ${HOST}
PidFile ${join(folder, "apache.pid")}
DefaultRuntimeDir ${folder}
ErrorLog ${join(folder, "error.log")}
Listen ${HOST}:${port}
${modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join("\n")}
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 75
<Proxy balancer://users>
${member(blue, 100 - green)}${member(greenPort, green)}</Proxy>
ProxyPass / balancer://users/
`;
}
