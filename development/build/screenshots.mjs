/**
 * Takes the screenshots in docs/screenshots with Chromium:
 *
 *     npm run rehearse && node lib/cli/main.js report RECEIPT.json --output release.html
 *     node development/build/screenshots.mjs release.html
 *
 * The rehearsal's show its last report; the release's shows the given file.
 */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const OUT = "docs/screenshots";
const REHEARSAL = ".bluegreen/rehearsal/report.html";
const FLAGS =
  "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";

const wide = { width: 1100, height: 1180 };
const phone = { width: 380, height: 1280 };
const release = process.argv[2];

const shots = [
  { name: "rehearsal-report", file: REHEARSAL, viewport: wide, colorScheme: "light" },
  { name: "rehearsal-report-dark", file: REHEARSAL, viewport: wide, colorScheme: "dark" },
  { name: "rehearsal-report-phone", file: REHEARSAL, viewport: phone, colorScheme: "light" },
  ...(release === undefined
    ? []
    : [{ name: "release-report", file: release, viewport: wide, colorScheme: "light" }]),
];

mkdirSync(OUT, { recursive: true });
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  headless: true,
  args: FLAGS.split(" "),
});
try {
  for (const { name, file, ...look } of shots) {
    const page = await browser.newPage(look);
    await page.goto(pathToFileURL(resolve(file)).href);
    await page.screenshot({ path: join(OUT, `${name}.png`) });
    await page.close();
  }
} finally {
  await browser.close();
}
