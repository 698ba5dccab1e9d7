/**
 * Secrets are planted wherever the configuration takes them. While a real environment is deployed and releases, another
 * account of the machine searches processes, files, locks and sockets: it finds none. Root finds each where it must be, and
 * nowhere else.
 */
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { newPreview } from "../../cli/project/preview";
import { canOpen, missingAccount, OTHER, searchAs } from "./other-account";
import type { Planted } from "./other-account";
import { describeEndToEnd, succeed, World } from "./world";

const secret = () => randomBytes(18).toString("hex");
const digest = (text: string) => createHash("sha256").update(text).digest("hex");

/** Answers a smoke request and notifications with 200 only if they carry the secrets, of which it has the digests. */
const APPLICATION = `
const { createServer } = require("node:http");
const { createHash } = require("node:crypto");
const digests = require("./digests.json");
const { HOST, PORT, BLUEGREEN_RELEASE_ID } = process.env;
const isSecret = (text, name) => createHash("sha256").update(String(text)).digest("hex") === digests[name];
createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const { authorization } = request.headers;
  const allowed =
    request.url === "/smoke" ? isSecret(authorization, "smoke") && isSecret(body, "body")
    : request.url === "/plain" ? isSecret(request.headers["x-api-key"], "plain")
    : request.url === "/activate" || request.url === "/deactivate" ? isSecret(authorization, "activation")
    : true;
  response.writeHead(allowed ? 200 : 401, { "x-release-id": BLUEGREEN_RELEASE_ID });
  response.end("ok");
}).listen(Number(PORT), HOST);
process.on("SIGTERM", () => process.exit(0));
`;

const problem = missingAccount();
if (problem !== undefined) console.warn(`skipped, ${problem}: what another account can do`);

(problem === undefined ? describeEndToEnd : describe.skip)("another account of the machine", () => {
  describe.each(["haproxy", "nginx", "embedded"])("with %s", (driver) => {
    const byReference = { smoke: `Bearer ${secret()}`, body: secret(), activation: secret(), hook: secret() };
    const plain = secret();
    const { secret: preview, preview: settings } = newPreview();
    const variables = {
      SMOKE_TOKEN: byReference.smoke,
      SMOKE_BODY: byReference.body,
      ACTIVATION_TOKEN: byReference.activation,
      HOOK_TOKEN: byReference.hook,
    };
    const tokens: (string | undefined)[] = [];
    let world: World;
    let chat: Server;
    const places = () => [world.folder, "/var/tmp"];
    const planted: Planted = { ...byReference, plain, preview };

    beforeAll(async () => {
      chat = createServer((request, response) => {
        tokens.push(request.headers.authorization);
        response.end("ok");
      });
      await new Promise<void>((resolve) => chat.listen(0, "127.0.0.1", resolve));
      const authorization = "env:ACTIVATION_TOKEN";
      world = await World.create({
        environment: {
          proxies: { driver, count: 1 },
          servers: { count: 1 },
          verification: {
            path: "/health",
            intervalSeconds: 0.05,
            deadlineSeconds: 6,
            smoke: [
              {
                method: "POST",
                path: "/smoke",
                headers: { authorization: "env:SMOKE_TOKEN" },
                body: "env:SMOKE_BODY",
              },
              { path: "/plain", headers: { "x-api-key": plain } },
            ],
          },
          activation: {
            activate: { method: "POST", path: "/activate", headers: { authorization } },
            deactivate: { method: "POST", path: "/deactivate", headers: { authorization } },
          },
          preview: settings,
          hooks: [
            {
              when: "after switch",
              webhook: `http://127.0.0.1:${(chat.address() as AddressInfo).port}/`,
              headers: { authorization: "env:HOOK_TOKEN" },
            },
          ],
        },
      });
      world.changeEnvironment({
        platform: { kind: "local", portBase: world.portBase, database: "postgres" },
      });
      // As a folder that a person cloned: other accounts may enter and read it.
      chmodSync(world.folder, 0o755);
      // The person's own file.
      chmodSync(world.path("environments/local.json"), 0o600);
      world.write("temporary/.keep", "");
      world.write("app/server.js", APPLICATION);
      world.write(
        "app/digests.json",
        Object.fromEntries(
          Object.entries({ ...byReference, plain }).map(([name, value]) => [name, digest(value)]),
        ),
      );
    });
    afterAll(async () => {
      chat.close();
      expect(await world.end()).toEqual([]);
    });

    const release = (version: string) =>
      world.run(["release", version, "--artifact", "app", "--json"], {
        ...variables,
        PG_URL: undefined,
        // So that what lies there for a moment is searched, too.
        TMPDIR: world.path("temporary"),
      });

    const password = () => new URL(world.text(".bluegreen/local/data/database.url").trim()).password;

    /** All files of the project and of the database, but not what Terraform downloads. */
    function files(folder = world.folder): string[] {
      return readdirSync(folder).flatMap((name) => {
        const path = join(folder, name);
        const stat = lstatSync(path);
        return stat.isDirectory() ? files(path) : stat.isSymbolicLink() ? [] : [path];
      });
    }

    function filesWith(text: string): string[] {
      const coded = Buffer.from(text).toString("base64").slice(0, -4);
      return files()
        .filter((path) => lstatSync(path).isFile())
        .filter((path) => [text, coded].some((each) => readFileSync(path).includes(each)))
        .map((path) => path.slice(world.folder.length + 1))
        .sort();
    }

    it("finds no secret and no way in, while base is deployed and two releases run", async () => {
      const first = await searchAs(OTHER, planted, places());
      await succeed(release("1.0.0"));
      expect(await first.end()).toMatchObject({ secrets: [], locked: [], connected: [] });
      const second = await searchAs(OTHER, { ...planted, password: password() }, places());
      await succeed(release("1.1.0"));
      const found = await second.end();
      expect(tokens).toEqual([byReference.hook, byReference.hook]);
      expect(found.looks).toBeGreaterThan(50);
      expect(found.processes).toBeGreaterThan(5);
      expect(found).toMatchObject({ secrets: [], locked: [], connected: [] });
      const ours = found.readable.filter((path) => path.startsWith(`${world.folder}/.bluegreen`));
      expect(ours).toEqual([]);
    });

    it("cannot open what it knows the name of, even if the folders above were open", () => {
      const folder = world.path(".bluegreen/local");
      const names = [
        "terraform.base.tfstate",
        "terraform.web.tfstate",
        "cdktf.out/stacks/base/cdk.tf.json",
        "cdktf.out/stacks/web/cdk.tf.json",
        "cdktf.out/stacks/web/bluegreen.tfplan",
        "release.lock",
        "servers/proxy-1/admin.sock",
        "servers/proxy-1/spec.json",
        "servers/proxy-1/director.lock",
        "servers/web-1/install.lock",
      ];
      // NGINX's workers may pass through, and nothing else.
      const { mode } = statSync(folder);
      expect(mode & 0o777).toBe(driver === "nginx" ? 0o710 : 0o700);
      const paths = ["", "/servers", "/servers/proxy-1", "/servers/web-1", "/cdktf.out", "/cdktf.out/stacks"];
      const modes = paths.map(
        (path) => [`${folder}${path}`, statSync(`${folder}${path}`).mode & 0o7777] as const,
      );
      for (const [path] of modes) chmodSync(path, 0o755);
      try {
        expect(names.filter((name) => canOpen(OTHER, join(folder, name)))).toEqual([]);
      } finally {
        for (const [path, before] of modes) chmodSync(path, before);
      }
    });

    it("would find each secret where it must be, and nowhere else", () => {
      for (const value of [...Object.values(byReference), preview]) expect(filesWith(value)).toEqual([]);
      const stacks = ".bluegreen/local/cdktf.out/stacks";
      // Plain text in the environment file is in all that is made from it.
      expect(filesWith(plain)).toEqual([
        `${stacks}/base/cdk.tf.json`,
        `${stacks}/web/cdk.tf.json`,
        ".bluegreen/local/servers/proxy-1/spec.json",
        "environments/local.json",
      ]);
      expect(filesWith(password())).toEqual([".bluegreen/local/data/database.url"]);
    });

    it("finds none after a synth and a plan by hand, as cdktf-cli does it", async () => {
      const search = await searchAs(OTHER, { ...planted, password: password() }, places());
      await world.planByHand("base");
      await world.planByHand("web");
      const found = await search.end();
      expect(found).toMatchObject({ secrets: [], locked: [], connected: [] });
    });
  });
});
