/** The certificate of a server on this machine: made anew by openssl, signed by itself, good for `localhost` and loopback. */
import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";

export interface ServerCertificate {
  /** PEM; also what a client has to trust (`ca`, or a file in NODE_EXTRA_CA_CERTS). */
  readonly certificate: string;
  readonly key: string;
}

/** @param address one more, in IPv4. @throws Error where there is no openssl. */
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
