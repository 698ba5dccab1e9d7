/** A common NGINX set-up: `split_clients` with percentages in the configuration; each change is a reload. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { answers, HOST, openPlace, run, weightOfGreen, start } from "./place.mjs";

export async function startPlainNginx(instances = "node") {
  const place = await openPlace(instances);
  mkdirSync(join(place.folder, "logs"));
  const write = (green) => writeFileSync(join(place.folder, "nginx.conf"), configuration(place, green));
  const args = ["-p", `${place.folder}/`, "-c", "nginx.conf"];
  write(50);
  const proxy = start("nginx", [...args, "-g", "daemon off;"], { cwd: place.folder });
  place.atEnd(proxy.stop);
  await answers(place.origin);
  const change = (traffic) => {
    write(weightOfGreen(traffic));
    run("nginx", [...args, "-s", "reload"]);
  };
  return { ...place, change };
}

function configuration({ port, blue, green: greenPort }, green) {
  const split = green === 0 ? "" : `${green}% green;`;
  const user = process.getuid() === 0 ? "user root;" : "";
  return `${user}
worker_processes auto;
pid nginx.pid;
error_log logs/error.log;
events { worker_connections 8192; }
http {
  access_log off;
  client_body_temp_path temp-body;
  proxy_temp_path temp-proxy;
  fastcgi_temp_path temp-fastcgi;
  uwsgi_temp_path temp-uwsgi;
  scgi_temp_path temp-scgi;
  keepalive_requests 1000000;
  split_clients $request_id $slot { ${split} * blue; }
  upstream blue { server ${HOST}:${blue}; keepalive 128; }
  upstream green { server ${HOST}:${greenPort}; keepalive 128; }
  server {
    listen ${HOST}:${port};
    location / {
      proxy_http_version 1.1;
      proxy_set_header Connection '';
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_pass http://$slot;
    }
  }
}
`;
}
