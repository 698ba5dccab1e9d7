import { parseEnvironment } from "../../../configuration/environment-file";
import type { AzureEnvironment } from "../../../configuration/environment";
import { requireAzure } from "../../../configuration/platform";

const LEAST_PLATFORM = {
  kind: "azure",
  subscriptionId: "00000000-0000-0000-0000-000000000000",
  tenantId: "00000000-0000-0000-0000-000000000001",
  location: "westeurope",
  sshPublicKey:
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDn1nXS8Z8h1nV1pX0k6Jm3gk8g1ZbO1n0bWm1xq3i5K somebody@example.com",
  webServers: { os: "linux" },
} as const;

const LEAST = {
  formatVersion: 1,
  application: "shop",
  name: "prod",
  record: "release.json",
  topology: "sideBySide",
  servers: { count: 2 },
  start: ["node", "server.js"],
};

export const FILE = "environments/prod.json";

/** A minimal Azure environment, with what the test needs. */
export function azureFile(platform: object = {}, changes: object = {}): string {
  return JSON.stringify({ ...LEAST, ...changes, platform: { ...LEAST_PLATFORM, ...platform } });
}

export function azureEnvironment(platform: object = {}, changes: object = {}): AzureEnvironment {
  return requireAzure(parseEnvironment(azureFile(platform, changes), FILE));
}

export const ON_WINDOWS = [{ webServers: { os: "windows" } }, { start: undefined }] as const;
