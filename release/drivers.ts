/** The kinds of proxy that a director knows how to talk to. */
export const DRIVERS = ["haproxy", "nginx", "embedded"] as const;
export type DriverName = (typeof DRIVERS)[number];

/** Whether requests can wait while a site is recreated; else users get a page. */
export function canHold(driver: DriverName): boolean {
  return driver !== "nginx";
}
