/** A certificate that only tests trust. */
import { spawnSync } from "node:child_process";

/** @returns its key and itself, in PEM. */
export function certificateOf(host: string): string {
  const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", `/CN=${host}`, "-days", "2"];
  const { stdout, stderr } = spawnSync("openssl", [...request, "-keyout", "-", "-out", "-"], {
    encoding: "utf8",
  });
  if (!stdout.includes("BEGIN CERTIFICATE")) throw new Error(`openssl made no certificate: ${stderr}`);
  return stdout;
}
