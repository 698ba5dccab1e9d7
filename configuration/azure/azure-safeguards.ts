/**
 * Settings of an Azure environment's protection that cost money, that not every size or region has, or that an application
 * may need otherwise. docs/azure-rules.md has the public rule that each of them is about.
 */
import * as z from "zod/mini";
import { matches } from "../../release/patterns";

const RANGE = /^((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)\/([1-9]|[12]\d|3[0-2])$/;
const SERVICE_TAG = /^[A-Z][A-Za-z0-9]{1,60}(\.[A-Za-z0-9]{1,60})?$/;
const DESTINATION = new RegExp(`${RANGE.source}|${SERVICE_TAG.source}`);
const PORTS = /^\d{1,5}(-\d{1,5})?$/;
const PORTS_EXPECTED = 'a port or a range of ports from 1 to 65535, as in "587" or "5671-5672"';

const Reach = z.enum(["any", "limited"]);

const Destination = z.strictObject({
  /** An IPv4 range, as in "203.0.113.0/24", or an Azure service tag, as in "EventHub.WestEurope". */
  to: matches(DESTINATION, `IPv4 range or service tag, as in "203.0.113.0/24" or "EventHub.WestEurope"`),
  /** TCP ports or ranges of ports. */
  ports: z
    .array(z.string().check(z.refine(isPorts, { error: () => PORTS_EXPECTED })))
    .check(z.minLength(1), z.maxLength(20)),
});

/**
 * Where machines may connect to. `limited`: what this package's programs and the system need (packages, monitoring, the
 * environment's own services), and `destinations`.
 */
export const Outbound = z.strictObject({
  /** `any`: the application's own connections are not known. @default "any" */
  web: z._default(Reach, "any"),
  /** @default "limited" */
  proxy: z._default(Reach, "limited"),
  /** @default "limited" */
  operations: z._default(Reach, "limited"),
  /** Further destinations of machines that are limited. @default [] */
  destinations: z._default(z.array(Destination).check(z.maxLength(50)), []),
});
export type Outbound = z.infer<typeof Outbound>;

export const Logs = z.strictObject({
  /** How long the workspace keeps logs, in days. @default 90 */
  days: z._default(z.int().check(z.minimum(30), z.maximum(730)), 90),
  /** Who read, changed or was refused what, in the artifact store, the vault and the SQL server. @default true */
  audit: z._default(z.boolean(), true),
});

export const Storage = z.strictObject({
  /** `GZRS`, `RAGZRS`: with a copy in another region, which may break rules on where data is. @default "ZRS" */
  replication: z._default(z.enum(["ZRS", "GZRS", "RAGZRS"]), "ZRS"),
});

/** A key in the environment's Key Vault that encrypts the artifact store and the database, instead of Azure's own. */
export const CustomerKey = z.strictObject({
  name: matches(/^[A-Za-z0-9-]{1,127}$/, "name of a Key Vault key"),
  /** The database needs it; the artifact store always uses the newest. @default - the database keeps Azure's key */
  version: z.optional(matches(/^[0-9a-f]{32}$/, "version of a Key Vault key: 32 of 0-9 and a-f")),
});
export type CustomerKey = z.infer<typeof CustomerKey>;

function isPorts(text: string): boolean {
  const [first, last = first] = text.split("-").map(Number);
  return PORTS.test(text) && first! >= 1 && first! <= last! && last! <= 65_535;
}
