/** Real Chromium, for what only a browser decides. */
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";
const QUIETLY = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Like `describe`, where Chromium is there. */
export const describeInBrowser: (title: string, tests: () => void) => void = existsSync(CHROMIUM)
  ? describe
  : (title, tests) => {
      console.warn(`skipped, there is no ${CHROMIUM}: ${title}`);
      describe.skip(title, tests);
    };

/** @param hosts names of sites that this machine serves; their ports stay what they are. */
export function launchChromium({
  hosts = [],
}: { readonly hosts?: readonly string[] } = {}): Promise<Browser> {
  const resolved = hosts.map((host) => `MAP ${host} 127.0.0.1`).join(",");
  const served = hosts.length === 0 ? [] : [`--host-resolver-rules=${resolved}`, "--no-proxy-server"];
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: [...QUIETLY, ...served] });
}
