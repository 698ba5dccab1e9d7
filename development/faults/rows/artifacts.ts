/** Faults of the artifact server: it stalls, stops half-way, or sends other bytes. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Row } from "../row";
import type { ReleaseWish } from "../release-under-way";
import type { Stage } from "../stage";

type Fault = (whole: Buffer, response: ServerResponse) => void;

/** It works when the row is repaired. */
class ArtifactServer {
  broken = true;
  private constructor(readonly address: string) {}

  static async start(stage: Stage, whole: Buffer, fault: Fault): Promise<ArtifactServer> {
    const server = createServer((_, response) => {
      if (!artifacts.broken) return response.end(whole);
      fault(whole, response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    stage.atTheEnd(
      () =>
        new Promise((resolve) => {
          server.closeAllConnections();
          server.close(() => resolve());
        }),
    );
    const artifacts = new ArtifactServer(
      `http://127.0.0.1:${(server.address() as AddressInfo).port}/release.zip`,
    );
    return artifacts;
  }
}

const servers = new WeakMap<Stage, ArtifactServer>();

async function from(stage: Stage, fault: Fault): Promise<ReleaseWish> {
  const version = stage.nextVersion();
  const whole = readFileSync((await stage.world.pack(version, "1.1.0")).file);
  const server = await ArtifactServer.start(stage, whole, fault);
  servers.set(stage, server);
  const sha256 = createHash("sha256").update(whole).digest("hex");
  return { version, artifact: ["--artifact", server.address, "--sha256", sha256] };
}

function row(name: string, fault: string, how: string, message: RegExp, break_: Fault): Row {
  return {
    ...{ name, fault, how },
    phases: { before: { exit: [4], serves: "old", message, goesOn: ["retry"] } },
    release: (stage) => from(stage, break_),
    inject: () => Promise.resolve(),
    repair: (stage) => {
      servers.get(stage)!.broken = false;
      return Promise.resolve();
    },
  };
}

export const ARTIFACTS: readonly Row[] = [
  row(
    "artifact-truncated",
    "the artifact server stops half-way",
    "an HTTP server on loopback sends half of the announced bytes, then closes",
    /download failed: /,
    (whole, response) => {
      response.setHeader("content-length", whole.length);
      response.write(whole.subarray(0, whole.length / 2), () => response.destroy());
    },
  ),
  row(
    "artifact-lies",
    "the artifact server sends other bytes",
    "an HTTP server on loopback sends as many bytes with another digest",
    /the artifact's sha256 is .*, the record says/,
    (whole, response) => {
      response.end(Buffer.concat([whole.subarray(0, -1), Buffer.from([whole.at(-1)! ^ 1])]));
    },
  ),
  row(
    "artifact-stalls",
    "the artifact server stalls",
    "an HTTP server on loopback sends half of the announced bytes, then nothing, on an open connection",
    /download failed: /,
    (whole, response) => {
      response.setHeader("content-length", whole.length);
      response.write(whole.subarray(0, whole.length / 2));
    },
  ),
  row(
    "artifact-gone",
    "the artifact server answers 503",
    "an HTTP server on loopback answers 503",
    /download failed: .*503/,
    (_, response) => {
      response.writeHead(503).end();
    },
  ),
];
