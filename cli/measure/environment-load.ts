/** The load that an environment file defines: GETs at the users' address. Pure. */
import { isIP } from "node:net";
import type { Environment } from "../../configuration/environment";
import { proxyPlaces } from "../../configuration/naming";
import { isLocal } from "../../configuration/platform";
import type { LoadPlanInput } from "../load/plan";

/** The plan, or the reason for none, as a receipt shows it. */
export type EnvironmentLoad =
  | { readonly plan: LoadPlanInput; readonly notMeasured: null }
  | { readonly plan: null; readonly notMeasured: string };

export function environmentLoad(environment: Environment): EnvironmentLoad {
  const { measurement, verification } = environment;
  if (measurement.rate === 0) return { plan: null, notMeasured: "measurement.rate is 0" };
  const origin = measurement.origin ?? defaultOrigin(environment);
  if (origin === undefined) {
    return {
      plan: null,
      notMeasured: `the address for users of ${environment.name} is unknown: set measurement.origin, or platform.domain`,
    };
  }
  // An IP address does not select a site, so it needs a `host` header.
  const host = isAddress(origin) ? verification.host : undefined;
  const gets = (measurement.paths ?? [verification.path]).map((path) => ({
    path,
    status: path === verification.path ? verification.status : 200,
  }));
  return {
    plan: {
      origin,
      rate: measurement.rate,
      gets,
      releaseHeader: verification.releaseHeader,
      ...(host === undefined ? {} : { headers: { host } }),
    },
    notMeasured: null,
  };
}

function defaultOrigin(environment: Environment): string | undefined {
  if (isLocal(environment)) {
    const { host, port } = proxyPlaces(environment)[0]!;
    return `http://${host}:${port}`;
  }
  const { domain, tlsCertificate } = environment.platform;
  if (domain === undefined) return undefined;
  return `${tlsCertificate === undefined ? "http" : "https"}://${domain}`;
}

function isAddress(origin: string): boolean {
  const { hostname } = new URL(origin);
  return hostname === "localhost" || isIP(hostname.replace(/^\[|\]$/g, "")) !== 0;
}
