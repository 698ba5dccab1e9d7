/** How a director controls its proxy: with a built-in driver or a custom program. */
import * as z from "zod/mini";
import { Program } from "../release/patterns";

/** The proxies that a director can control itself. */
export const DRIVERS = ["haproxy", "nginx", "embedded"] as const;
export type DriverName = (typeof DRIVERS)[number];

/** With "command": an executable on the proxy (docs/library.md, "A custom driver"). */
export const DRIVER_NAMES = [...DRIVERS, "command"] as const;

/** @internal */
export const DriverCommand = z.strictObject({
  /**
   * The program and its arguments, without a shell. A relative path starts at the proxy's folder; a bare name is searched
   * on PATH.
   */
  program: Program,
  /** Time limit of one operation, after which it is ended and has failed. @default 10 */
  timeoutSeconds: z._default(z.int().check(z.minimum(1), z.maximum(60)), 10),
  /** Whether it supports the mode "hold": requests wait during a recreate. @default false: users get a page */
  holds: z._default(z.boolean(), false),
});
/** The program through which a director controls a custom proxy. */
export interface DriverCommand extends z.infer<typeof DriverCommand> {}

/** Whether the proxy uses connections to instances for all clients, and can't keep one for a client that signs it in. */
export function sharesConnections({ driver }: { readonly driver: (typeof DRIVER_NAMES)[number] }): boolean {
  return driver === "nginx";
}

/** Whether requests can wait during a recreate; otherwise users get a page. */
export function canHold(proxy: {
  readonly driver: (typeof DRIVER_NAMES)[number];
  readonly command?: Pick<DriverCommand, "holds"> | undefined;
}): boolean {
  return proxy.command?.holds ?? proxy.driver !== "nginx";
}
