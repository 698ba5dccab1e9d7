/** The software bill of materials in the package: exactly what the bundles contain, valid, and the same for the same sources. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { pack } from "./tarball";

interface Component {
  readonly type: "application" | "file" | "library";
  readonly "bom-ref": string;
  readonly group?: string;
  readonly name: string;
  readonly version: string;
  readonly licenses: readonly unknown[];
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
}
interface Bom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

const text = readFileSync("lib/sbom.cdx.json", "utf8");
const sbom = JSON.parse(text) as Bom;
const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
  readonly version: string;
  readonly dependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
};
const bundles = sbom.components.filter(({ type }) => type === "file");
const libraries = sbom.components.filter(({ type }) => type === "library");
const fullName = ({ group, name }: Component): string => (group === undefined ? name : `${group}/${name}`);
const dependsOn = (ref: string): readonly string[] =>
  sbom.dependencies.find((each) => each.ref === ref)!.dependsOn;

const violations = (bom: string) => new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(bom);

test("it is valid by the schema of CycloneDX 1.6, which refuses an unknown licence id and an unknown field", async () => {
  expect(await violations(text)).toBeNull();
  expect(await violations(text.replace('"id":"MIT"', '"id":"MIT-ish"'))).not.toBeNull();
  expect(await violations(text.replace('"purl"', '"address"'))).not.toBeNull();
});

test("it describes this version, and has no time, no random number and no path of the machine that built it", () => {
  expect(sbom.metadata.component).toMatchObject({ name: "cdktf-bluegreen", version: manifest.version });
  expect(text).not.toMatch(/timestamp|serialNumber/);
  expect(text).not.toContain(process.cwd());
});

test("its files are the bundles in the package, byte for byte", () => {
  for (const { name, hashes } of bundles) {
    const content = createHash("sha256").update(readFileSync(name)).digest("hex");
    expect({ name, hashes }).toEqual({ name, hashes: [{ alg: "SHA-256", content }] });
  }
  // The director again, packed into a script.
  const script = readFileSync("lib/on-server/director/set-up-director.sh", "utf8");
  const packed = /<<'DIRECTOR'\n([\s\S]+?)\nDIRECTOR\n/.exec(script)![1]!;
  expect(gunzipSync(Buffer.from(packed, "base64"))).toEqual(readFileSync("lib/on-server/director.js"));
});

test("every other program in the package is compiled alone: it loads packages, and contains none", () => {
  const folder = mkdtempSync(join(tmpdir(), "bluegreen-sbom-"));
  const { files } = pack(folder);
  rmSync(folder, { recursive: true });
  expect(files).toContain("lib/sbom.cdx.json");
  const named = new Set(bundles.map(({ name }) => name));
  expect([...named].filter((name) => !files.includes(name))).toEqual([]);
  const others = files.filter((file) => /^lib\/.*\.([cm]?js|wasm|node)$/.test(file) && !named.has(file));
  expect(others.length).toBeGreaterThan(50);
  for (const file of others) {
    const source = file.replace(/^lib\//, "").replace(/\.js$/, ".ts");
    const starts = /^lib\/(cli\/)?main\.js$/.test(file);
    // A bundled package would make it much larger than its source.
    const most = starts ? 500 : 4 * readFileSync(source).length + 4000;
    expect({ file, small: readFileSync(file).length < most }).toEqual({ file, small: true });
  }
});

test("each bundle has the packages of the files that esbuild put into it, in their installed versions, and no other", () => {
  const bundled = JSON.parse(readFileSync("lib/bundled-files.json", "utf8")) as Record<string, string[]>;
  expect(Object.keys(bundled).sort()).toEqual(bundles.map(({ name }) => name));
  expect([...dependsOn(sbom.metadata.component["bom-ref"])]).toEqual(Object.keys(bundled).sort());
  const all = new Set<string>();
  for (const [bundle, files] of Object.entries(bundled)) {
    // Not as the build finds them: the last folder named as npm names them, whatever is inside.
    const folders = files.flatMap(
      (file) => /^(.*\/)?node_modules\/(@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0] ?? [],
    );
    const purls = folders.map((folder) => {
      const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Component;
      return `pkg:npm/${name.replace("@", "%40")}@${version}`;
    });
    expect({ bundle, has: dependsOn(bundle) }).toEqual({ bundle, has: [...new Set(purls)].sort() });
    for (const purl of purls) all.add(purl);
  }
  expect(libraries.map((library) => library["bom-ref"])).toEqual([...all].sort());
  expect(all.size).toBeGreaterThan(80);
});

test("a licence's text comes along for every package in it", () => {
  const licences = readFileSync("lib/LICENSES.txt", "utf8");
  const heads = [...licences.matchAll(/^(\S+ \d[^ ,]*), [^,\n]+(, \S+)?$/gm)].map(([, head]) => head!);
  expect(libraries.map((library) => `${fullName(library)} ${library.version}`).sort()).toEqual(heads.sort());
});

test("docs/stability.md lists the packages of each bundle", () => {
  const table = readFileSync("docs/stability.md", "utf8").matchAll(/^\| `(lib\/\S+\.js)` \| (.+) \|$/gm);
  const documented = [...table].map(([, name, list]) => [name!, list!]);
  const actual = bundles.map(({ name }) => {
    const names = libraries.filter((each) => dependsOn(name).includes(each["bom-ref"])).map(fullName);
    return [name, [...new Set(names)].sort().join(", ")];
  });
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(actual));
});

describe("a bundle of packages in two versions, with a scope, and unused", () => {
  let folder: string;
  let first: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "bluegreen-sbom-"));
    const put = (file: string, content: string): void => {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), content);
    };
    const install = (at: string, name: string, version: string, license: string, code: string): void => {
      put(`node_modules/${at}/package.json`, JSON.stringify({ name, version, license, sideEffects: false }));
      put(`node_modules/${at}/index.js`, code);
    };
    install("b", "b", "1.0.0", "MIT", "export const b = () => 'old';");
    install("a", "a", "1.2.3-rc.1+x", "ISC", "import { b } from 'b'; export const a = () => 'a' + b();");
    install("a/node_modules/b", "b", "2.0.0", "(MIT OR Apache-2.0)", "export const b = () => 'new';");
    install("@scope/c", "@scope/c", "3.0.0", "Public Domain", "export const c = () => 'c';");
    install("unused", "unused", "4.0.0", "MIT", "export const unused = () => 'unused';");
    put(
      "entry.mjs",
      `import { a } from "a"; import { b } from "b"; import { c } from "@scope/c"; import { unused } from "unused";
       console.log(a(), b(), c());`,
    );
    first = made("one, two");
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** With the build's modules; a process, because they are ES modules. */
  function made(order: string): string {
    const from = (file: string): string => JSON.stringify(pathToFileURL(resolve(file)).href);
    const program = `
      import { build } from ${from("node_modules/esbuild/lib/main.js")};
      import { packagesOf } from ${from("development/build/bundled-packages.mjs")};
      import { sbomOf } from ${from("development/build/sbom.mjs")};
      const { metafile, outputFiles } = await build({ entryPoints: ["entry.mjs"], bundle: true, metafile: true, write: false, outdir: "." });
      const used = Object.entries(metafile.outputs["entry.js"].inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
      const one = { path: "one.js", content: outputFiles[0].contents, packages: packagesOf(used.map(([file]) => file)) };
      const two = { path: "two.js", content: "", packages: [] };
      process.stdout.write(sbomOf({ name: "itself", version: "0.0.1", license: "MIT" }, [${order}]));`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    return stdout;
  }

  test("both versions are there with their licences, the unused package is not", async () => {
    expect(await violations(first)).toBeNull();
    const { components } = JSON.parse(first) as Bom;
    expect(components.map((each) => [each["bom-ref"], each.licenses?.[0]])).toEqual([
      ["one.js", undefined],
      ["two.js", undefined],
      ["pkg:npm/%40scope/c@3.0.0", { license: { name: "Public Domain" } }],
      ["pkg:npm/a@1.2.3-rc.1%2Bx", { license: { id: "ISC" } }],
      ["pkg:npm/b@1.0.0", { license: { id: "MIT" } }],
      ["pkg:npm/b@2.0.0", { expression: "(MIT OR Apache-2.0)" }],
    ]);
  });

  test("the order in which bundles were built changes no byte", () => {
    expect(made("two, one")).toBe(first);
  });
});
