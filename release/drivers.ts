/** The kinds of proxy that a director knows how to talk to. */
export const DRIVERS = ["haproxy", "embedded"] as const;
export type DriverName = (typeof DRIVERS)[number];
