import { Failure } from "../../../release/failure";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer as createHttp } from "node:http";
import type { RequestListener } from "node:http";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import execa from "execa";
import { findTerraform } from "../../../cli/terraform/binary";
import type { FindTerraformOptions, TerraformBinary } from "../../../cli/terraform/binary";
import { PINNED_DIGESTS, PINNED_VERSION } from "../../../cli/terraform/pinned-release";
import { boastful, changed, endless } from "../../../development/testbed/lying-server";
import { digestsOf, serve, terraformScript, ZIP_PATH, zipOf } from "./release-server";
import type { ReleaseServer } from "./release-server";

let folder: string;
let bin: string;
let cache: string;
let lines: string[];
/** Of the archive that the last vendor has. */
let digests: Readonly<Record<string, string>>;
const servers: ReleaseServer[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bluegreen-terraform-"));
  bin = join(folder, "bin");
  cache = join(folder, "cache");
  mkdirSync(bin);
  lines = [];
  digests = {};
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  rmSync(folder, { recursive: true, force: true });
});

function environment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { PATH: bin, HOME: folder, XDG_CACHE_HOME: cache, ...extra };
}

function find(
  extra: NodeJS.ProcessEnv = {},
  options: Partial<FindTerraformOptions> = {},
): Promise<TerraformBinary> {
  return findTerraform({ log: (line) => lines.push(line), env: environment(extra), digests, ...options });
}

async function refusal(attempt: Promise<unknown>): Promise<string> {
  const error = await attempt.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Failure);
  const { message, exitCode } = error as Failure;
  expect(exitCode).toBe(2);
  expect(message.split("\n").length).toBeLessThanOrEqual(2);
  return message;
}

function install(name: string, script = terraformScript("1.9.0"), into = bin): string {
  const path = join(into, name);
  writeFileSync(path, script, { mode: 0o755 });
  return path;
}

async function start(
  answers: Parameters<typeof serve>[0],
  tls?: Parameters<typeof serve>[1],
): Promise<ReleaseServer> {
  const server = await serve(answers, tls);
  servers.push(server);
  return server;
}

async function release(script = terraformScript(PINNED_VERSION)): Promise<Buffer> {
  const zip = await zipOf({ "LICENSE.txt": "a licence", terraform: script });
  digests = digestsOf(zip);
  return zip;
}

async function startVendor(): Promise<ReleaseServer> {
  return await start({ [ZIP_PATH]: await release() });
}

function cachedFiles(): string[] {
  if (!existsSync(cache)) return [];
  return readdirSync(cache, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort();
}

describe("what is installed", () => {
  test("terraform on PATH is used, and nothing is downloaded or printed", async () => {
    const path = install("terraform");
    install("tofu");
    expect(await find()).toEqual({ path, name: "terraform", version: "1.9.0", fetched: false });
    expect(lines).toEqual([]);
    expect(cachedFiles()).toEqual([]);
  });

  test("tofu on PATH is used if there is no terraform", async () => {
    const path = install("tofu", terraformScript("1.8.3"));
    expect(await find()).toEqual({ path, name: "tofu", version: "1.8.3", fetched: false });
  });

  test("a link named terraform that leads to tofu is tofu", async () => {
    symlinkSync(install("tofu"), join(bin, "terraform"));
    expect(await find()).toMatchObject({ path: join(bin, "terraform"), name: "tofu" });
  });

  test("a terraform that cannot be run, and a folder of that name, are passed over", async () => {
    const other = join(folder, "other");
    mkdirSync(join(other, "terraform"), { recursive: true });
    chmodSync(install("terraform"), 0o644);
    const path = install("tofu");
    expect(await find({ PATH: `${other}:${bin}` })).toMatchObject({ path, name: "tofu" });
  });

  test("a relative folder on PATH is passed over", async () => {
    install("terraform");
    await release();
    const message = await refusal(find({ PATH: ".:bin:", BLUEGREEN_TERRAFORM_MIRROR: "https://" }));
    expect(message).toContain("Neither terraform nor tofu is on PATH");
  });

  test("TERRAFORM_BINARY_NAME as a name is looked for on PATH, before terraform", async () => {
    install("terraform");
    const path = install("terraform-1.10", terraformScript("1.10.5"));
    expect(await find({ TERRAFORM_BINARY_NAME: "terraform-1.10" })).toMatchObject({
      path,
      version: "1.10.5",
    });
  });

  test("TERRAFORM_BINARY_NAME as a path is used", async () => {
    const path = install("my-tofu", terraformScript("1.10.0"), folder);
    expect(await find({ TERRAFORM_BINARY_NAME: path })).toMatchObject({ path, name: "tofu" });
  });

  test("fail when the name in TERRAFORM_BINARY_NAME is not on PATH, though terraform is", async () => {
    install("terraform");
    expect(await refusal(find({ TERRAFORM_BINARY_NAME: "teraform" }))).toBe(
      'TERRAFORM_BINARY_NAME is "teraform", but there is no "teraform" on PATH: ' +
        "correct it, or unset it to use terraform or tofu from PATH",
    );
  });

  test("fail when the path in TERRAFORM_BINARY_NAME is not an executable file", async () => {
    expect(await refusal(find({ TERRAFORM_BINARY_NAME: `${folder}/none` }))).toContain(
      `${folder}/none is not an executable file`,
    );
    expect(await refusal(find({ TERRAFORM_BINARY_NAME: bin }))).toContain(`${bin} is not an executable file`);
  });
});

describe("its version", () => {
  test.each(["1.2.0", "1.5.7", "0.15.5", "1.6.0-rc1"])("fail when it is too old: %s", async (version) => {
    const path = install("terraform", terraformScript(version));
    expect(await refusal(find())).toBe(
      `terraform ${version} at ${path} is too old: 1.6.0 or newer is needed ` +
        "(upgrade it, or set TERRAFORM_BINARY_NAME to a newer one)",
    );
  });

  test.each(["1.6.0", "1.6.1-beta2", "1.10.0", "2.0.0", "1.11.4+ent"])(
    "%s is new enough",
    async (version) => {
      install("terraform", terraformScript(version));
      expect(await find()).toMatchObject({ version });
    },
  );

  test("it is asked without TF_CLI_ARGS, which may hold what the question does not know", async () => {
    const answer = terraformScript("1.9.0").split("\n")[1];
    install(
      "terraform",
      `#!/bin/sh\n[ -z "$TF_CLI_ARGS$TF_CLI_ARGS_version" ] && [ -n "$TF_LOG_PATH" ] && ${answer}\n`,
    );
    const extra = { TF_CLI_ARGS: "-input=false", TF_CLI_ARGS_version: "-x", TF_LOG_PATH: "log" };
    expect(await find(extra)).toMatchObject({ version: "1.9.0" });
  });

  test("fail when it hangs", async () => {
    const path = install("terraform", "#!/bin/sh\nexec /bin/sleep 600\n");
    expect(await refusal(find({}, { limits: { versionSeconds: 0.2 } }))).toBe(
      `terraform at ${path} did not print its version within 0.2 s: set TERRAFORM_BINARY_NAME to one that works`,
    );
  });

  test("fail when it ends but leaves a child that holds its output open", async () => {
    install("terraform", `#!/bin/sh\n/bin/sleep 600 &\necho $! > ${folder}/child\n`);
    try {
      expect(await refusal(find({}, { limits: { versionSeconds: 0.2 } }))).toContain("within 0.2 s");
    } finally {
      process.kill(Number(readFileSync(`${folder}/child`, "utf8")));
    }
  });

  test("fail when it fails, with the first line of its output", async () => {
    const path = install("terraform", "#!/bin/sh\necho 'no version is set' >&2\necho more >&2\nexit 3\n");
    expect(await refusal(find())).toBe(
      `terraform at ${path} fails with exit code 3 for "version -json", and prints "no version is set": ` +
        "set TERRAFORM_BINARY_NAME to one that works",
    );
  });

  test("fail when it crashes", async () => {
    install("terraform", "#!/bin/sh\nkill -SEGV $$\n");
    expect(await refusal(find())).toContain('was ended by SIGSEGV during "version -json"');
  });

  test("fail when it cannot be started", async () => {
    install("terraform", "#!/nowhere/sh\n");
    expect(await refusal(find())).toMatch(
      /^terraform at \S+ cannot be run \(spawn \S+ ENOENT\): set TERRAFORM/,
    );
  });

  test.each([
    ["prints rubbish", "echo; echo 'Terraform v1.9'", '"Terraform v1.9"'],
    ["prints other JSON", "echo '[1]'", '"[1]"'],
    ["prints no version", `echo '{"terraform_version":"new"}'`, '"{\\"terraform_version\\":\\"new\\"}"'],
    ["prints nothing", ":", "nothing"],
  ])("fail when it %s", async (_, command, expected) => {
    install("terraform", `#!/bin/sh\n${command}\n`);
    expect(await refusal(find())).toContain(
      `does not print its version as JSON, but ${expected}: set TERRAFORM`,
    );
  });

  test("fail when it prints without end", async () => {
    install("terraform", "#!/bin/sh\nwhile :; do echo 0123456789012345678901234567890123456789; done\n");
    expect(await refusal(find())).toContain("cannot be run");
  });
});

describe("what is fetched", () => {
  test("where there is none, the pinned release is fetched, said aloud, and used again without network", async () => {
    const vendor = await startVendor();
    const first = await find({ BLUEGREEN_TERRAFORM_MIRROR: `${vendor.url}/` });
    expect(first).toEqual({ path: first.path, name: "terraform", version: PINNED_VERSION, fetched: true });
    expect(dirname(dirname(first.path))).toBe(join(cache, "bluegreen", "terraform", PINNED_VERSION));
    expect(statSync(first.path).mode & 0o777).toBe(0o755);
    expect(cachedFiles()).toEqual(["terraform", "terraform.sha256"]);
    expect(vendor.asked).toEqual([ZIP_PATH]);
    expect(lines[0]).toMatch(
      /^Neither terraform nor tofu is on PATH: downloading Terraform 1\.11\.4 for \w+ from http/,
    );
    expect(lines[1]).toMatch(/^Terraform 1\.11\.4: \d+\.\d MB to download$/);
    expect(lines.at(-2)).toMatch(/^ {2}100 % of/);
    expect(lines.at(-1)).toContain(`is in ${dirname(first.path)}`);

    lines = [];
    expect(await find({ BLUEGREEN_TERRAFORM_MIRROR: vendor.url })).toEqual({ ...first, fetched: false });
    expect(vendor.asked).toHaveLength(1);
    expect(lines).toEqual([]);
  });

  test("the option goes before BLUEGREEN_TERRAFORM_MIRROR", async () => {
    const vendor = await startVendor();
    const found = await find(
      { BLUEGREEN_TERRAFORM_MIRROR: "https://nowhere.invalid" },
      { mirror: vendor.url },
    );
    expect(found.fetched).toBe(true);
  });

  test("without XDG_CACHE_HOME, or with a relative one, the cache is ~/.cache", async () => {
    const vendor = await startVendor();
    const home = join(folder, ".cache", "bluegreen", "terraform", PINNED_VERSION);
    const found = await find({ XDG_CACHE_HOME: "relative" }, { mirror: vendor.url });
    expect(dirname(dirname(found.path))).toBe(home);
  });

  test("the credentials of a mirror are sent to it, to nobody else, and said to nobody", async () => {
    const zip = await release();
    const seen: (string | undefined)[] = [];
    const note =
      (then: string | Buffer): RequestListener =>
      (request, response) => {
        seen.push(request.headers.authorization);
        response.end(then);
      };
    const store = await start({ "/zip?signature=secret": note(zip) });
    const mirror = await start({
      [ZIP_PATH]: (request, response) => {
        seen.push(request.headers.authorization);
        response.writeHead(302, { location: `${store.url}/zip?signature=secret` }).end();
      },
    });
    const withCredentials = mirror.url.replace("//", "//ann:p%40ss@");
    expect((await find({ BLUEGREEN_TERRAFORM_MIRROR: withCredentials })).fetched).toBe(true);
    expect(seen).toEqual([`Basic ${Buffer.from("ann:p@ss").toString("base64")}`, undefined]);
    expect(lines.join()).not.toContain("p%40ss");

    rmSync(cache, { recursive: true });
    await store.close();
    servers.splice(0, 1);
    const message = await refusal(find({ BLUEGREEN_TERRAFORM_MIRROR: withCredentials }));
    expect(message).toContain(`${store.url}/zip: connect ECONNREFUSED`);
    expect(message).not.toMatch(/p%40ss|p@ss|secret/);
  });

  test("a damaged copy is fetched anew, and said to be damaged", async () => {
    const vendor = await startVendor();
    const { path } = await find({}, { mirror: vendor.url });
    const whole = readFileSync(path);
    for (const damage of [
      () => writeFileSync(path, whole.subarray(0, 20)),
      () => chmodSync(path, 0o644),
      () => rmSync(`${path}.sha256`),
      () => writeFileSync(`${path}.sha256`, "0"),
    ]) {
      damage();
      lines = [];
      expect(await find({}, { mirror: vendor.url })).toMatchObject({ path, fetched: true });
      expect(lines[0]).toContain(`The copy at ${path} is damaged: downloading`);
      expect(readFileSync(path)).toEqual(whole);
    }
  });

  test("two at once both get a whole binary, and leave nothing else behind", async () => {
    const zip = await release();
    const waiting: (() => void)[] = [];
    const vendor = await start({
      [ZIP_PATH]: (_, response) => {
        waiting.push(() => response.end(zip));
        if (waiting.length === 2) waiting.forEach((answer) => answer());
      },
    });
    const both = await Promise.all([find({}, { mirror: vendor.url }), find({}, { mirror: vendor.url })]);
    expect(both.map(({ version, fetched }) => ({ version, fetched }))).toEqual([
      { version: PINNED_VERSION, fetched: true },
      { version: PINNED_VERSION, fetched: true },
    ]);
    expect(cachedFiles()).toEqual(["terraform", "terraform.sha256"]);
    expect((await find({}, { mirror: vendor.url })).fetched).toBe(false);
  });

  test("fail when offline, with what was tried and the way out", async () => {
    const vendor = await startVendor();
    await vendor.close();
    servers.length = 0;
    const message = await refusal(find({ BLUEGREEN_TERRAFORM_MIRROR: vendor.url }));
    expect(message).toBe(
      `Neither terraform nor tofu is on PATH, and Terraform 1.11.4 could not be downloaded: ` +
        `${vendor.url}${ZIP_PATH}: connect ECONNREFUSED 127.0.0.1:${vendor.port}\n` +
        "Fix: install terraform or tofu, or set TERRAFORM_BINARY_NAME to one, " +
        "or BLUEGREEN_TERRAFORM_MIRROR to a mirror of https://releases.hashicorp.com",
    );
  });

  test("fail when offline and the mirror has several addresses, with one of the failures", async () => {
    const vendor = await startVendor();
    await vendor.close();
    servers.length = 0;
    const message = await refusal(find({}, { mirror: `http://localhost:${vendor.port}` }));
    expect(message).toMatch(/_\w+\.zip: connect ECONNREFUSED \S+\n/);
  });

  test("fail when one bit of the archive is another", async () => {
    const zip = await release();
    const vendor = await start({ [ZIP_PATH]: changed(zip) });
    expect(await refusal(find({}, { mirror: vendor.url }))).toMatch(
      /the sha256 of terraform_\S+\.zip from http\S+ is [0-9a-f]{64}, but the vendor's is [0-9a-f]{64}/,
    );
    expect(cachedFiles()).toEqual([]);
  });

  test("fail when a mirror has its own archive, and its own SHA256SUMS for it", async () => {
    const zip = await release(`#!/bin/sh\ntouch ${folder}/ran\n`);
    const [digest] = Object.values(digests).slice(-1);
    const vendor = await start({
      [ZIP_PATH]: zip,
      [ZIP_PATH.replace(/[a-z]+_\w+\.zip$/, "SHA256SUMS")]: `${digest}  ${ZIP_PATH.split("/").at(-1)}\n`,
    });
    const message = await refusal(find({}, { mirror: vendor.url, digests: PINNED_DIGESTS }));
    expect(message).toContain(`is ${digest}, but the vendor's is `);
    expect(vendor.asked).toEqual([ZIP_PATH]);
    expect(cachedFiles()).toEqual([]);
    expect(existsSync(join(folder, "ran"))).toBe(false);
  });

  test("fail when the digest for this machine is not known, and the archive is not asked for", async () => {
    const vendor = await start({ [ZIP_PATH]: await release() });
    const others = digestsOf(Buffer.from("other"), "solaris_sparc");
    expect(await refusal(find({}, { mirror: vendor.url, digests: others }))).toMatch(
      /could not be downloaded: its digest for \w+ is not known\nFix: install terraform or tofu/,
    );
    expect(vendor.asked).toEqual([]);
  });

  test.each([
    ["without an end", endless],
    ["with a size that no release has", boastful],
  ])("fail when it is sent %s", async (_, listener) => {
    await release();
    const vendor = await start({ [ZIP_PATH]: listener });
    expect(await refusal(find({}, { mirror: vendor.url }))).toContain("refused: larger than 268435456 bytes");
    expect(cachedFiles()).toEqual([]);
  });

  test("fail when the archive is cut off", async () => {
    const zip = await release();
    const vendor = await start({
      [ZIP_PATH]: (_, response) => {
        response.writeHead(200, { "content-length": zip.length });
        response.write(zip.subarray(0, 50), () => response.destroy());
      },
    });
    expect(await refusal(find({}, { mirror: vendor.url }))).toContain(
      `${vendor.url}${ZIP_PATH}: other side closed`,
    );
    expect(cachedFiles()).toEqual([]);
  });

  test.each([
    ["before the answer", () => undefined],
    ["within the answer", (response) => void response.writeHead(200, { "content-length": 99 }).write("half")],
  ] as [string, (response: Parameters<RequestListener>[1]) => void][])(
    "fail when it stalls %s",
    async (_, stall) => {
      await release();
      const vendor = await start({ [ZIP_PATH]: (_request, response) => stall(response) });
      const message = await refusal(find({}, { mirror: vendor.url, limits: { idleSeconds: 0.2 } }));
      expect(message).toContain(`${vendor.url}${ZIP_PATH}: no data for 0.2 s`);
    },
  );

  test("fail when the release is not there", async () => {
    await release();
    const vendor = await start({});
    expect(await refusal(find({}, { mirror: vendor.url }))).toContain(
      `${vendor.url}${ZIP_PATH}: HTTP status 404`,
    );
  });

  test("fail when the mirror redirects without end", async () => {
    await release();
    const vendor = await start({
      [ZIP_PATH]: (_, response) => response.writeHead(307, { location: ZIP_PATH }).end(),
    });
    expect(await refusal(find({}, { mirror: vendor.url }))).toContain("more than 5 redirects");
    expect(vendor.asked).toHaveLength(6);
  });

  test("fail when the mirror redirects to plain http elsewhere", async () => {
    await release();
    const vendor = await start({
      [ZIP_PATH]: (_, response) => response.writeHead(302, { location: "http://mirror.invalid/x" }).end(),
    });
    expect(await refusal(find({}, { mirror: vendor.url }))).toContain(
      "http://mirror.invalid/x: refused: plain http is for a mirror on this machine only; use https",
    );
  });

  test.each([
    ["http://mirror.invalid", "refused: plain http"],
    ["ftp://mirror.invalid", "refused: ftp:// is not https"],
    ["mirror.invalid", "is not an address (https://...)"],
  ])("fail when the mirror is %s", async (mirror, expected) => {
    await release();
    expect(await refusal(find({ BLUEGREEN_TERRAFORM_MIRROR: mirror }))).toContain(expected);
  });

  test("fail when the archive holds no terraform", async () => {
    const zip = await zipOf({ "LICENSE.txt": "a licence" });
    digests = digestsOf(zip);
    const vendor = await start({ [ZIP_PATH]: zip });
    expect(await refusal(find({}, { mirror: vendor.url }))).toContain(
      'the zip archive has no entry "terraform"',
    );
  });

  test("fail when the cache folder cannot be made", async () => {
    const vendor = await startVendor();
    writeFileSync(cache, "a file");
    const message = await refusal(find({}, { mirror: vendor.url }));
    expect(message).toMatch(
      /could not be downloaded: ENOTDIR: .* \(to use another folder, set XDG_CACHE_HOME\)/,
    );
  });

  test("fail when what was fetched does not run", async () => {
    const zip = await release("#!/bin/sh\nexit 1\n");
    const vendor = await start({ [ZIP_PATH]: zip });
    expect(await refusal(find({}, { mirror: vendor.url }))).toContain("fails with exit code 1");
  });
});

describe("over https", () => {
  /** As an operator's shell runs it: NODE_EXTRA_CA_CERTS is read when a process starts. */
  async function findInNewProcess(extra: NodeJS.ProcessEnv): Promise<string> {
    const binary = join(__dirname, "../../../cli/terraform/binary.ts");
    const program =
      `require(${JSON.stringify(binary)}).findTerraform({ log() {}, digests: ${JSON.stringify(digests)} })` +
      `.then((found) => console.log(found.version), (error) => console.log(error.message))`;
    const tsx = require.resolve("tsx/cjs");
    const env = environment(extra);
    const { stdout } = await execa(process.execPath, ["-r", tsx, "-e", program], { env, extendEnv: false });
    return stdout;
  }

  function certificateFor(host: string): { key: string; cert: string; file: string } {
    const [key, file] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const request = [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "1",
    ];
    const subject = ["-subj", `/CN=${host}`, "-addext", `subjectAltName=DNS:${host},IP:127.0.0.1`];
    execFileSync("openssl", [...request, ...subject, "-keyout", key, "-out", file], { stdio: "ignore" });
    return { key: readFileSync(key, "utf8"), cert: readFileSync(file, "utf8"), file };
  }

  test("the proxy in HTTPS_PROXY finds a mirror that this machine cannot", async () => {
    const { file, ...tls } = certificateFor("mirror.invalid");
    const vendor = await start({ [ZIP_PATH]: await release() }, tls);
    const tunnels: (string | undefined)[] = [];
    const proxy = createHttp().on("connect", (request, client) => {
      tunnels.push(request.url);
      const upstream = connect(vendor.port, "127.0.0.1", () => {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        upstream.pipe(client).pipe(upstream);
      });
      upstream.on("error", () => client.destroy());
      client.on("error", () => upstream.destroy());
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    try {
      const printed = await findInNewProcess({
        HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
        BLUEGREEN_TERRAFORM_MIRROR: "https://mirror.invalid",
        NODE_EXTRA_CA_CERTS: file,
      });
      expect(printed).toBe(PINNED_VERSION);
      expect(tunnels).toEqual(["mirror.invalid:443"]);
    } finally {
      proxy.close();
    }
  });

  test("fail when a proxy refuses, and when it says nothing", async () => {
    const refusing = createHttp().on("connect", (_, client) => client.end("HTTP/1.1 403 Forbidden\r\n\r\n"));
    await release();
    const silent = createHttp().on("connect", (_, client) => client.on("error", () => undefined));
    for (const [proxy, expected] of [
      [refusing, "Proxy response (403)"],
      [silent, "no data for 0.2 s"],
    ] as const) {
      proxy.listen(0, "127.0.0.1");
      await once(proxy, "listening");
      const { port } = proxy.address() as AddressInfo;
      try {
        const options = { mirror: "https://mirror.invalid", limits: { idleSeconds: 0.2 } };
        expect(await refusal(find({ https_proxy: `http://127.0.0.1:${port}` }, options))).toContain(expected);
      } finally {
        proxy.close();
      }
    }
  });

  test("fail when the mirror redirects from https to http, even on this machine", async () => {
    const { file, ...tls } = certificateFor("mirror.invalid");
    const plain = await startVendor();
    const vendor = await start(
      {
        [ZIP_PATH]: (_, response) => response.writeHead(301, { location: `${plain.url}${ZIP_PATH}` }).end(),
      },
      tls,
    );
    const printed = await findInNewProcess({
      BLUEGREEN_TERRAFORM_MIRROR: vendor.url,
      NODE_EXTRA_CA_CERTS: file,
    });
    expect(printed).toContain("refused: a redirect from https to plain http");
    expect(plain.asked).toEqual([]);
  });

  test("fail when nobody vouches for the mirror's certificate", async () => {
    const { file: _, ...tls } = certificateFor("mirror.invalid");
    await release();
    const vendor = await start({}, tls);
    // Newer Nodes add their own advice.
    expect(await refusal(find({}, { mirror: vendor.url }))).toMatch(
      /self-signed certificate.* \(for a private authority set NODE_EXTRA_CA_CERTS\)/,
    );
    expect(vendor.asked).toEqual([]);
  });
});

describe("the pinned release", () => {
  test("has a digest for every platform of the command", () => {
    for (const platform of ["linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"])
      expect(PINNED_DIGESTS[platform]).toMatch(/^[0-9a-f]{64}$/);
    const all = Object.values(PINNED_DIGESTS);
    expect(all.filter((digest) => !/^[0-9a-f]{64}$/.test(digest!))).toEqual([]);
    expect(new Set(all).size).toBe(all.length);
  });

  test("is the version that the tests run with, as docs/stability.md has it", () => {
    const stability = readFileSync(join(__dirname, "../../../docs/stability.md"), "utf8");
    expect(stability).toMatch(new RegExp(`^\\| Terraform \\| .* \\| ${PINNED_VERSION} in CI;`, "m"));
  });
});
