/** The reports in a real browser: they load nothing, complain about nothing, and can be read on a phone and in the dark. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { renderReceiptReport } from "../../../cli/report/receipt-report";
import { renderRehearsalReport } from "../../../cli/rehearsal/rehearsal-report";
import { describeInBrowser, launchChromium } from "../../chromium";
import { JOURNAL, resultsOf, receiptOf, requestsOf, timelineOf } from "./examples";

const LONG = "a-name-without-any-blank-".repeat(12);
const failing = receiptOf({
  outcome: "rolledBack",
  exitCode: 5,
  reason: `<script>document.title = "taken over"</script>${LONG}`,
  who: { user: LONG, host: LONG, ci: null },
  plan: { live: "blue", proof: LONG, changes: [{ address: LONG, actions: [LONG] }], token: LONG },
  proxies: [
    { proxy: LONG, journal: [...JOURNAL] },
    { proxy: "proxy-2", journal: [...JOURNAL] },
  ],
  hooks: [{ when: LONG, name: LONG, exitCode: 1, seconds: 2, lastLine: LONG }],
  requests: requestsOf({
    origin: `http://${LONG}`,
    failed: 20,
    failures: { [LONG]: 20 },
    versions: { [LONG]: 1 },
    timeline: timelineOf({ 40: 20 }).map((point) => ({
      ...point,
      versions: { ...point.versions, [LONG]: 5 },
    })),
  }),
});

const REPORTS: Readonly<Record<string, string>> = {
  release: renderReceiptReport(receiptOf()),
  "failing release": renderReceiptReport(failing),
  "release that was not measured": renderReceiptReport(
    receiptOf({ requests: null, notMeasured: "the site is not reachable from here" }),
  ),
  rehearsal: renderRehearsalReport(resultsOf()),
};

/** Every text on the page whose contrast with the background is below 4.5, with that contrast. */
const FAINT_TEXTS = `(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [red, green, blue] = numbers(colour).slice(0, 3).map((part) => {
      const weight = part / 255;
      return weight <= 0.03928 ? weight / 12.92 : ((weight + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const background = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const hasText = (element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== "");
  const texts = [...document.body.querySelectorAll("*")].filter(hasText);
  return {
    texts: texts.length,
    faint: texts.flatMap((element) => {
      const style = getComputedStyle(element);
      const one = luminance(element instanceof SVGElement ? style.fill : style.color);
      const other = luminance(background(element));
      const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      return contrast >= 4.5 ? [] : [element.textContent.slice(0, 40) + ": " + contrast.toFixed(2)];
    }),
  };
})()`;

const WIDTHS = `({ page: document.documentElement.scrollWidth, window: innerWidth })`;

/** Charts that take room on the page: wide and narrow ones. */
const SHOWN = `["wide", "narrow"].map((variant) =>
  [...document.querySelectorAll("." + variant + " svg")].filter((svg) => {
    const { width, height } = svg.getBoundingClientRect();
    return width > 200 && height > 80;
  }).length)`;

describeInBrowser("a report in Chromium", () => {
  let browser: Browser;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "bluegreen-browser-"));
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function opened(
    name: string,
    options: BrowserContextOptions,
    look: (page: Page) => Promise<void>,
  ): Promise<void> {
    const file = join(folder, "report.html");
    writeFileSync(file, REPORTS[name]!);
    const context = await browser.newContext(options);
    try {
      const page = await context.newPage();
      const complaints: string[] = [];
      const requests: string[] = [];
      page.on("console", (message) => complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("request", (request) => requests.push(request.url()));
      await page.goto(pathToFileURL(file).href, { waitUntil: "load" });
      await look(page);
      expect({ complaints, requests }).toEqual({ complaints: [], requests: [pathToFileURL(file).href] });
    } finally {
      await context.close();
    }
  }

  describe.each(Object.keys(REPORTS))("of a %s", (name) => {
    const charts = (REPORTS[name]!.match(/<svg/g) ?? []).length / 2;

    test.each([
      [380, [0, charts]],
      [1_100, [charts, 0]],
    ])(
      "loads nothing, says nothing and fits at %i pixels, with the charts for that width",
      async (width, shown) => {
        await opened(name, { viewport: { width, height: 800 } }, async (page) => {
          expect(await page.evaluate(WIDTHS)).toEqual({ page: width, window: width });
          expect(await page.evaluate(SHOWN)).toEqual(shown);
          expect(await page.title()).not.toBe("taken over");
        });
      },
    );

    test.each(["light", "dark"] as const)("can be read in %s", async (colorScheme) => {
      await opened(name, { colorScheme, viewport: { width: 1_100, height: 800 } }, async (page) => {
        await page.evaluate(`document.querySelectorAll("details").forEach((all) => (all.open = true))`);
        const { texts, faint } = await page.evaluate<{ texts: number; faint: string[] }>(FAINT_TEXTS);
        expect(faint).toEqual([]);
        expect(texts).toBeGreaterThan(20);
        const dark = await page.evaluate(`getComputedStyle(document.body).backgroundColor`);
        expect(dark).toBe(colorScheme === "dark" ? "rgb(18, 22, 29)" : "rgb(255, 255, 255)");
      });
    });
  });

  test("is light on paper, whatever the screen is", async () => {
    await opened("release", { colorScheme: "dark" }, async (page) => {
      await page.emulateMedia({ media: "print", colorScheme: "dark" });
      expect(await page.evaluate(`getComputedStyle(document.body).backgroundColor`)).toBe(
        "rgb(255, 255, 255)",
      );
    });
  });
});
