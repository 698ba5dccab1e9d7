/**
 * A mirror that lies to the installer: what it sends is bounded on disk, refused with the reason, removed, and never runs.
 * The script is the real one, but for its limit: 4 MiB instead of 2 GiB.
 */
import * as fs from "node:fs";
import type { RequestListener } from "node:http";
import * as path from "node:path";
import {
  boastful,
  changed,
  compressed,
  endless,
  redirecting,
  stalling,
  truncated,
} from "../../../development/testbed/lying-server";
import {
  base64,
  eachTestHasAServer,
  expectFailure,
  SCRIPT,
  type Installation,
  type Parameters,
} from "./server";

const LIMIT = 4 * 1024 * 1024;
const server = eachTestHasAServer();

/** The script with the lower limit. */
function strict(): string {
  const file = path.join(server().root, "install-release.sh");
  const text = fs.readFileSync(SCRIPT, "utf8");
  const lower = text.replace("readonly MAX_BYTES=2147483648 ", `readonly MAX_BYTES=${LIMIT} `);
  expect(lower).not.toBe(text);
  fs.writeFileSync(file, lower);
  return file;
}

interface Attempt {
  readonly outcome: Installation;
  /** The most bytes that were below downloads/ at any moment. */
  readonly most: number;
}

async function attempt(address: string, parameters: Parameters = {}): Promise<Attempt> {
  const artifact = server().application();
  let [most, running] = [0, true];
  const { done } = server().start(
    server().parameters(1, artifact, {
      ARTIFACT_URL_BASE64: base64(address),
      PREPARE_SECONDS: "5",
      ...parameters,
    }),
    strict(),
  );
  const ended = done.finally(() => (running = false));
  while (running) {
    const sizes = server()
      .list("downloads")
      .map((name) => fs.statSync(server().path("downloads", name), { throwIfNoEntry: false })?.size ?? 0);
    most = Math.max(most, ...sizes);
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 5))]);
  }
  return { outcome: await ended, most };
}

/** Exit 4 with the reason; nothing left, nothing unpacked, nothing started. */
function refused({ outcome, most }: Attempt, because: RegExp): void {
  expectFailure(outcome, 4);
  expect(outcome.stderr).toMatch(because);
  expect(most).toBeLessThanOrEqual(LIMIT);
  for (const folder of ["downloads", "releases", "slots"]) expect(server().list(folder)).toEqual([]);
  expect(server().instances()).toEqual([]);
}

const bytes = (): Buffer => fs.readFileSync(server().application().file);
const TOO_LARGE = /download failed: http:\S+ is larger than 4194304 bytes: build it from less/;

const LIES: readonly (readonly [string, () => RequestListener, RegExp])[] = [
  ["sends without an end", () => endless, TOO_LARGE],
  ["names a size above the limit", () => boastful, TOO_LARGE],
  ["changes one bit", () => changed(bytes()), /the artifact's sha256 is [0-9a-f]{12}\.\.\., the record says/],
  ["names more bytes than it sends", () => truncated(bytes()), /download failed: .*\(18\)/],
  // It is not decompressed: 64 MiB are 64 KiB on disk.
  ["compresses 64 MiB", () => compressed(64), /the artifact's sha256 is /],
  [
    "redirects to another host",
    () => redirecting("http://127.0.0.2:9/app.zip"),
    /status 302 instead of 200|storage answered 302: a redirect is not followed with a token/,
  ],
];

test.each(LIES)("one that %s", async (_, lie, because) => {
  refused(await attempt(`${await server().serve(lie())}/app.zip`), because);
});

test.each(LIES)("the environment's store, for which a token is sent, that %s", async (_, lie, because) => {
  const imds = await server().serve((_request, response) => void response.end('{"access_token":"SECRET"}'));
  const address = await server().serve(lie());
  const parameters = { ARTIFACT_HOST: address.slice("http://".length), IMDS_ENDPOINT: imds };
  refused(await attempt(`${address}/app.zip`, parameters), because);
});

test("one that stalls", async () => {
  const address = await server().serve(stalling);
  refused(
    await attempt(`${address}/app.zip`, { FETCH_STALL_SECONDS: "1", PREPARE_SECONDS: "60" }),
    /download failed: .*too slow/,
  );
});

test("one that names the limit's size keeps no byte: it is refused before", async () => {
  const { outcome, most } = await attempt(`${await server().serve(boastful)}/app.zip`);
  refused({ outcome, most }, TOO_LARGE);
  expect(most).toBe(0);
});

test("what a killed install left of another artifact is gone after the next one", async () => {
  fs.mkdirSync(server().path("downloads"), { recursive: true });
  fs.writeFileSync(server().path("downloads", `${"0".repeat(64)}.partial`), "half of it");
  refused(await attempt(`${await server().serve(endless)}/app.zip`), TOO_LARGE);
});
