/**
 * The engines that synthesize a project's stacks, and their command lines: CDKTF, which is archived, and its successor CDK
 * Terrain, which a project installs under CDKTF's names (docs/library.md).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { upwards } from "./files";

/** An engine's command line, as a package of npm. */
export interface CommandLine {
  readonly package: string;
  /** That the tests ran. */
  readonly version: string;
  readonly program: string;
}

const CDKTF_CLI: CommandLine = { package: "cdktf-cli", version: "0.21.0", program: "cdktf" };
const CDK_TERRAIN_CLI: CommandLine = { package: "cdktn-cli", version: "0.24.0", program: "cdktn" };
/** CDK Terrain's needs this one, and CDKTF's has a terminal that is compiled beyond Node.js 22. */
const FIRST_NODE_OF_CDK_TERRAIN = [22, 19] as const;

/** By a package's own name, which an alias keeps: the versions that the tests ran. */
export const TESTED: Readonly<Record<string, string>> = {
  cdktf: "0.21",
  cdktn: "0.24",
  constructs: "10",
  "@cdktf/provider-azurerm": "14",
  "@cdktn/provider-azurerm": "16",
};

/** The command line that a project has, from its folder upwards; without one, the one for this Node.js, and `installed` is false. */
export function commandLineOf(
  folder: string,
  node = process.versions.node,
): CommandLine & { readonly installed: boolean } {
  for (const each of upwards(folder)) {
    const found = [CDKTF_CLI, CDK_TERRAIN_CLI].find(({ program }) =>
      existsSync(join(each, "node_modules", ".bin", program)),
    );
    if (found !== undefined) return { ...found, installed: true };
  }
  const [major = 0, minor = 0] = node.split(".").map(Number);
  const [firstMajor, firstMinor] = FIRST_NODE_OF_CDK_TERRAIN;
  const isNew = major > firstMajor || (major === firstMajor && minor >= firstMinor);
  return { ...(isNew ? CDK_TERRAIN_CLI : CDKTF_CLI), installed: false };
}
