/**
 * A stand-in of HCP Terraform's API, as far as Terraform asks it for a workspace in execution mode Local: it keeps the
 * state and the lock. With TLS, which Terraform insists on.
 */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { selfSignedCertificate } from "../../../development/testbed/tds-server/certificate";

const TYPE = "application/vnd.api+json";

export class Hcp {
  /** What was asked, as in `POST /workspaces/ws-1/actions/lock`. */
  readonly requests: string[] = [];
  state: string | null = null;
  lockedBy: string | null = null;

  private constructor(
    private readonly server: Server,
    private readonly workspace: string,
    readonly certificate: string,
  ) {}

  /** @param folder for its certificate. */
  static async start(folder: string, workspace: string): Promise<Hcp> {
    const certificate = join(folder, "certificate.pem");
    const own = selfSignedCertificate();
    writeFileSync(certificate, own.certificate);
    const server = createServer({ key: own.key, cert: own.certificate });
    const hcp = new Hcp(server, workspace, certificate);
    server.on("request", (request, response) => void hcp.answer(request, response));
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    return hcp;
  }

  get hostname(): string {
    return `localhost:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.close();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const part of request) body += String(part);
    const path = (request.url ?? "").replace(/\?.*$/, "").replace("/api/v2", "");
    const call = `${request.method} ${path}`;
    this.requests.push(call);
    const tell = (status: number, answer: unknown): void => {
      response.writeHead(status, {
        "content-type": TYPE,
        "tfp-api-version": "2.6",
        "tfp-appname": "HCP Terraform",
      });
      response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
    };
    switch (call) {
      case "GET /.well-known/terraform.json":
        response.writeHead(200, { "content-type": "application/json" });
        response.end(
          JSON.stringify({ "tfe.v2": "/api/v2/", "tfe.v2.1": "/api/v2/", "tfe.v2.2": "/api/v2/" }),
        );
        return;
      case "GET /ping":
        return tell(204, "");
      case "GET /organizations/acme/entitlement-set": {
        const attributes = { "state-storage": true, operations: true, "private-module-registry": true };
        return tell(200, { data: { id: "org-1", type: "entitlement-sets", attributes } });
      }
      case `GET /organizations/acme/workspaces/${this.workspace}`:
      case "GET /workspaces/ws-1":
        return tell(200, { data: this.workspaceData() });
      case "POST /workspaces/ws-1/actions/lock":
        if (this.lockedBy !== null)
          return tell(409, { errors: [{ status: "409", title: "already locked" }] });
        this.lockedBy = (JSON.parse(body) as { reason?: string }).reason ?? "somebody";
        return tell(200, { data: this.workspaceData() });
      case "POST /workspaces/ws-1/actions/unlock":
      case "POST /workspaces/ws-1/actions/force-unlock":
        this.lockedBy = null;
        return tell(200, { data: this.workspaceData() });
      case "GET /workspaces/ws-1/current-state-version":
        return this.state === null
          ? tell(404, { errors: [{ status: "404" }] })
          : tell(200, { data: this.version() });
      case "POST /workspaces/ws-1/state-versions": {
        const { data } = JSON.parse(body) as { data: { attributes: { state?: string } } };
        if (data.attributes.state !== undefined)
          this.state = Buffer.from(data.attributes.state, "base64").toString("utf8");
        return tell(201, { data: this.version() });
      }
      case "PUT /state":
        this.state = body;
        return tell(200, "");
      case "PUT /json-state":
        return tell(200, "");
      case "GET /state":
        return tell(200, this.state ?? "");
      case "GET /state-versions/sv-1":
        return tell(200, { data: this.version() });
      default:
        return tell(404, { errors: [{ status: "404", title: "not found" }] });
    }
  }

  private workspaceData() {
    return {
      id: "ws-1",
      type: "workspaces",
      attributes: {
        name: this.workspace,
        "execution-mode": "local",
        operations: false,
        locked: this.lockedBy !== null,
        "terraform-version": "latest",
        permissions: {
          "can-lock": true,
          "can-unlock": true,
          "can-update": true,
          "can-read-state-versions": true,
        },
      },
      relationships: { organization: { data: { id: "acme", type: "organizations" } } },
    };
  }

  private version() {
    const { serial = 0, lineage = "" } = JSON.parse(this.state ?? "{}") as {
      serial?: number;
      lineage?: string;
    };
    const at = (path: string): string => `https://${this.hostname}${path}`;
    return {
      id: "sv-1",
      type: "state-versions",
      attributes: {
        serial,
        lineage,
        md5: createHash("md5")
          .update(this.state ?? "")
          .digest("hex"),
        status: "finalized",
        "hosted-state-download-url": at("/state"),
        "hosted-state-upload-url": at("/state"),
        "hosted-json-state-upload-url": at("/json-state"),
        "resources-processed": true,
      },
    };
  }
}
