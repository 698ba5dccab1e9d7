/** The settings with which base starts the embedded proxy. Paths are relative to the proxy's folder. */
import { hasAffinity, tokenSeconds } from "../../../../configuration/sessions";
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { DEFAULT_HTTP_SETTINGS } from "../../../../configuration/http-settings";
import type { HttpSettings } from "../../../../configuration/http-settings";
import type { Endpoint } from "../../../../configuration/naming";
import type { Preview } from "../../../../configuration/preview";
import { privatePaths } from "../../../../configuration/private-paths";
import type { PerSlot, Slot } from "../../../../release/slot";
import { CLOSED, trafficEntries } from "../driver";
import type { ProxyConfigurator } from "../driver";

export const ADMIN_SOCKET = "admin.sock";
export const SETTINGS_FILE = "embedded-proxy.json";
export const TRAFFIC_FILE = "traffic.json";
/** Servers out of rotation, by slot; absent if there are none. */
export const EXCLUDED_FILE = "excluded.json";

export interface EmbeddedProxySettings {
  readonly host: string;
  readonly port: number;
  readonly endpoints: PerSlot<readonly Endpoint[]>;
  /** The digest of the secret for previews. */
  readonly preview: Pick<Preview, "sha256"> | null;
  readonly check: { readonly path: string; readonly host: string; readonly status: number };
  readonly http: HttpSettings;
  /** Absent without affinity: which site the tokens are of, and the paths whose answers carry no cookie. */
  readonly sessions?: {
    readonly application: string;
    readonly environment: string;
    readonly withoutCookie: readonly string[];
    /** How long browsers keep a token after an answer; absent: until their session ends. */
    readonly seconds?: number | undefined;
  };
  /** Users' requests for them get 404. */
  readonly privatePaths: readonly string[];
}

/** Base of an earlier version wrote no settings of HTTP. */
export function parseSettings(text: string): EmbeddedProxySettings {
  const former = { http: DEFAULT_HTTP_SETTINGS, privatePaths: [] };
  return { ...former, ...(JSON.parse(text) as EmbeddedProxySettings) };
}

/** A request to move servers of a slot into or out of rotation. */
export interface Rotation {
  readonly slot: Slot;
  readonly servers: readonly string[];
  readonly inRotation: boolean;
  /** Whether the clients of servers out of rotation stay on them. */
  readonly keepsClients?: boolean;
}

export class EmbeddedConfigurator implements ProxyConfigurator {
  constructor(private readonly spec: DirectorSpec) {}

  files(): Record<string, string> {
    const { application, environment, proxy, endpoints, verification, preview, sessions } = this.spec;
    const settings: EmbeddedProxySettings = {
      host: proxy.host,
      port: proxy.port,
      endpoints,
      preview,
      check: { path: verification.path, host: verification.host ?? "localhost", status: verification.status },
      http: proxy.http,
      ...(hasAffinity(this.spec) && {
        sessions: {
          ...{ application, environment, withoutCookie: sessions!.withoutCookie },
          seconds: tokenSeconds(sessions),
        },
      }),
      privatePaths: privatePaths(this.spec),
    };
    return {
      [SETTINGS_FILE]: JSON.stringify(settings, null, 2),
      [TRAFFIC_FILE]: JSON.stringify(trafficEntries(CLOSED)),
    };
  }
}
