/** Windows authentication behind each kind of proxy. */
import { promisesOfAuthentication } from "./authentication-promises";
import { describeWith, embedded, haproxy, nginx } from "./proxy-kinds";

describeWith(haproxy)("haproxy", () => promisesOfAuthentication(haproxy, { signsIn: true }));
describeWith(embedded)("embedded", () => promisesOfAuthentication(embedded, { signsIn: true }));
// It can't keep a connection for a client: nobody signs in, and a release that asks for it is refused.
describeWith(nginx)("nginx", () => promisesOfAuthentication(nginx, { signsIn: false }));
