/** How a director talks to its proxy: to one of the kinds that it knows, or through a program of somebody else's. */
import * as z from "zod/mini";
import { Program } from "../release/patterns";

/** The kinds of proxy that a director knows how to talk to. */
export const DRIVERS = ["haproxy", "nginx", "embedded"] as const;
export type DriverName = (typeof DRIVERS)[number];

/** Beside the kinds that it knows: an executable on the proxy does it (docs/library.md, "An own driver"). */
export const DRIVER_NAMES = [...DRIVERS, "command"] as const;

/** @internal */
export const DriverCommand = z.strictObject({
  /**
   * The program and its arguments, without a shell. A path that is not absolute is relative to the proxy's folder, a
   * bare name is looked up on PATH.
   */
  program: Program,
  /** One operation that takes longer is ended, and has failed. In seconds. @default 10 */
  timeoutSeconds: z._default(z.int().check(z.minimum(1), z.maximum(60)), 10),
  /** Whether it knows the mode "hold": requests wait while a site is recreated. @default false: users get a page */
  holds: z._default(z.boolean(), false),
});
/** The program that stands between a director and a proxy of another kind. */
export interface DriverCommand extends z.infer<typeof DriverCommand> {}

/** Whether requests can wait while a site is recreated; else users get a page. */
export function canHold(proxy: {
  readonly driver: (typeof DRIVER_NAMES)[number];
  readonly command?: Pick<DriverCommand, "holds"> | undefined;
}): boolean {
  return proxy.command?.holds ?? proxy.driver !== "nginx";
}
