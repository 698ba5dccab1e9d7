/**
 * Which servers are out of rotation, in a file that HAProxy reads when it starts. HAProxy's format also has each
 * server's address and port, which override those of the configuration. So a new configuration needs a renewed file.
 */
import { SLOTS } from "../../../../release/slot";
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { backendNames, FAILOVER } from "./traffic-map";

/** Its name begins like the map's: a new configuration keeps both. */
export const SERVERS_STATE = "traffic.servers";
export const ALL_IN_ROTATION = "1\n";

/** Later columns are optional, and override the configuration, too. */
const FIELDS = 20;

type Row = Readonly<Record<string, string>>;

/**
 * @param shown HAProxy's answer to `show servers state`.
 * @returns the file. It has no servers in rotation, which HAProxy starts with their defaults, and none that track others.
 */
export function outOfRotation(shown: string): string {
  const { header, rows } = read(shown);
  const excluded = rows.filter((row) => row["srv_admin_state"] !== "0" && placeOf(row) !== null);
  return written(header, excluded);
}

/**
 * @returns the servers out of rotation that keep no clients, as `<slot> <server>`: see the weight in `keepClients`.
 * @param shown as for {@link outOfRotation}
 */
export function serversWithoutClients(shown: string): ReadonlySet<string> {
  const { rows } = read(shown);
  const keeping = rows.flatMap((row) => (row["srv_uweight"] === "0" ? [keyOf(row)] : []));
  const places = rows
    .filter((row) => row["srv_admin_state"] !== "0" && !keeping.includes(keyOf(row)))
    .map(placeOf);
  return new Set(places.flatMap((place) => (place === null ? [] : [`${place.slot} ${place.server}`])));
}

/** The file for these endpoints: the same servers are out of rotation, wherever they are now. */
export function renewedServers(file: string, endpoints: DirectorSpec["endpoints"]): string {
  const { header, rows } = read(file);
  const renewed = rows.flatMap((row) => {
    const place = placeOf(row);
    const endpoint = place && endpoints[place.slot].find(({ server }) => server === place.server);
    return endpoint ? [{ ...row, srv_port: String(endpoint.port) }] : [];
  });
  return written(header, renewed);
}

function read(text: string): { readonly header: readonly string[]; readonly rows: readonly Row[] } {
  const [, first = "", ...lines] = text.split("\n");
  const header = first.replace(/^# /, "").split(" ").slice(0, FIELDS);
  const rows = lines.filter(Boolean).map((line) => {
    const cells = line.split(" ");
    return Object.fromEntries(header.map((column, index) => [column, cells[index] ?? "-"]));
  });
  return { header, rows };
}

function written(header: readonly string[], rows: readonly Row[]): string {
  if (rows.length === 0) return ALL_IN_ROTATION;
  // A host name is resolved anew.
  const lines = rows.map((row) =>
    header.map((column) => (["srv_addr", "srv_fqdn"].includes(column) ? "-" : row[column])).join(" "),
  );
  return [ALL_IN_ROTATION.trimEnd(), `# ${header.join(" ")}`, ...lines, ""].join("\n");
}

function keyOf(row: Row): string {
  const place = placeOf(row);
  return place === null ? "" : `${place.slot} ${place.server}`;
}

/** null for a server of the other slot, which stands in as the one does that it tracks. */
function placeOf(row: Row) {
  const [backend = "", server = ""] = [row["be_name"], row["srv_name"]];
  const slot = SLOTS.find((each) => backendNames(each).all.includes(backend));
  return slot === undefined || server.startsWith(FAILOVER) ? null : { slot, server };
}
