/** Requests to the stand-in of Azure Resource Manager, and its operations that take long. */
import { readFileSync } from "node:fs";
import { request } from "node:https";

const API_VERSION = "api-version=2024-07-01";
const POLL_MS = 200;

export interface Answer {
  readonly status: number;
  readonly operation: string | undefined;
  // What Azure answers has many shapes.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

export class ResourceManager {
  private readonly ca: Buffer;

  constructor(
    private readonly port: number,
    certificate: string,
  ) {
    this.ca = readFileSync(certificate);
  }

  send(method: string, path: string, body?: object): Promise<Answer> {
    return new Promise((answered, failed) => {
      const separator = path.includes("?") ? "&" : "?";
      const options = { ca: this.ca, method, headers: { "content-type": "application/json" } };
      const address = `https://localhost:${this.port}${path}${separator}${API_VERSION}`;
      const sent = request(address, options, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () => {
          const text = Buffer.concat(parts).toString();
          const operation = response.headers["azure-asyncoperation"];
          answered({
            status: response.statusCode!,
            operation: Array.isArray(operation) ? operation[0] : operation,
            body: text === "" ? null : JSON.parse(text),
          });
        });
      });
      sent.on("error", failed);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** @returns the operation's last answer, or null if `stopped` became true before it ended. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async ended({ operation }: Answer, stopped: () => boolean): Promise<any> {
    if (operation === undefined) return { status: "Succeeded" };
    const path = new URL(operation).pathname;
    for (;;) {
      const { body } = await this.send("GET", path);
      if (body.status !== "InProgress") return body;
      if (stopped()) return null;
      await new Promise((waited) => setTimeout(waited, POLL_MS));
    }
  }
}
