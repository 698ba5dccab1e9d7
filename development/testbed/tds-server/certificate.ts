/** A new self-signed certificate, made by openssl, for `localhost` and loopback. */
import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";

export interface ServerCertificate {
  /** PEM. Clients must trust it (`ca`, or a file in NODE_EXTRA_CA_CERTS). */
  readonly certificate: string;
  readonly key: string;
}

/** @param address a further IPv4 address. @throws Error if openssl is not installed. */
export function selfSignedCertificate(address?: string): ServerCertificate {
  const names = [
    "DNS:localhost",
    "IP:127.0.0.1",
    "IP:::1",
    ...(address === undefined ? [] : [`IP:${address}`]),
  ];
  const made = execFileSync(
    "openssl",
    [
      ...[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
      ],
      ...["-subj", "/CN=localhost", "-addext", `subjectAltName=${names.join(",")}`],
      ...["-keyout", "-", "-out", "-"],
    ],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  );
  const key = createPrivateKey(made).export({ type: "pkcs8", format: "pem" }).toString();
  return {
    key,
    certificate: new X509Certificate(made.slice(made.indexOf("-----BEGIN CERTIFICATE"))).toString(),
  };
}
