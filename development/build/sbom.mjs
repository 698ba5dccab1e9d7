/**
 * The software bill of materials of the bundles (CycloneDX 1.6, JSON): `npm audit` and scanners of a user's lock file do not
 * see packages inside a bundle. It has no time and no random serial number: the same sources give the same bytes.
 */
import { createHash } from "node:crypto";

/**
 * @param itself this package's `name`, `version` and `license`.
 * @param bundles for each bundle its `path` in the package, its `content`, and its `packages` from packagesOf().
 */
export function sbomOf(itself, bundles) {
  const packages = new Map();
  for (const each of bundles.flatMap((bundle) => bundle.packages)) packages.set(purl(each), each);
  const root = component("application", itself);
  const files = sorted(bundles, ({ path }) => path);
  const libraries = sorted([...packages.values()], purl);
  const bom = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { lifecycles: [{ phase: "build" }], component: root },
    components: [...files.map(fileComponent), ...libraries.map((each) => component("library", each))],
    dependencies: [
      { ref: root["bom-ref"], dependsOn: files.map(({ path }) => path) },
      ...files.map((bundle) => ({
        ref: bundle.path,
        dependsOn: sorted([...new Set(bundle.packages.map(purl))], String),
      })),
    ],
  };
  return `${JSON.stringify(bom)}\n`;
}

function fileComponent({ path, content }) {
  const sha256 = createHash("sha256").update(content).digest("hex");
  return { type: "file", "bom-ref": path, name: path, hashes: [{ alg: "SHA-256", content: sha256 }] };
}

function component(type, { name, version, license }) {
  const [, group, own] = /^(@[^/]+)\/(.+)$/.exec(name) ?? [undefined, undefined, name];
  const address = purl({ name, version });
  return {
    type,
    "bom-ref": address,
    ...(group === undefined ? {} : { group }),
    name: own,
    version,
    licenses: [licenceOf(license)],
    purl: address,
  };
}

/** An SPDX id, an SPDX expression, or a name that SPDX does not know. */
function licenceOf(license) {
  if (/\b(OR|AND|WITH)\b/.test(license)) return { expression: license };
  return { license: /\s/.test(license) ? { name: license } : { id: license } };
}

/** The package URL: https://github.com/package-url/purl-spec */
function purl({ name, version }) {
  return `pkg:npm/${name.replace("@", "%40")}@${encodeURIComponent(version)}`;
}

/** By code units, so the locale changes nothing. */
function sorted(list, key) {
  return [...list].sort((one, other) => (key(one) < key(other) ? -1 : key(one) > key(other) ? 1 : 0));
}
