import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROVIDER = { source: "registry.terraform.io/hashicorp/azurerm", version: "4.55.0" };

/** Why Terraform does not find the provider, neither in a mirror nor in a registry; undefined where it does. */
export function providerIsMissing(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "bluegreen-provider-"));
  try {
    const block = { required_providers: { azurerm: PROVIDER } };
    writeFileSync(join(folder, "main.tf.json"), JSON.stringify({ terraform: block }));
    const { status, stderr, error } = spawnSync("terraform", ["init", "-no-color", "-input=false"], {
      cwd: folder,
      encoding: "utf8",
      timeout: 180_000,
    });
    if (status === 0) return undefined;
    const [complaint] = /Error: .*/.exec(stderr ?? "") ?? [error?.message ?? "it fails"];
    return `terraform init does not get azurerm ${PROVIDER.version} (${complaint})`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
