/** A rehearsal notices a picture that only one server has. */
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Pictures } from "../../../cli/rehearsal/pictures";
import type { Project } from "../../../cli/project/project";
import { parseEnvironment } from "../../../configuration/environment-file";
import { proxyPlaces, slotEndpoints } from "../../../configuration/naming";
import { freePortBase } from "../../../development/testbed/ports";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** A server with a store of pictures; `null` answers 500 always. */
async function site(port: number, store: Map<string, string> | null): Promise<void> {
  const server = createServer((request, response) => {
    response.setHeader("connection", "close");
    if (store === null) return void response.writeHead(500).end();
    const name = request.url!.split("/").at(-1)!;
    if (request.method !== "PUT") {
      const text = store.get(name);
      return void response.writeHead(text === undefined ? 404 : 200).end(text);
    }
    let body = "";
    request.on("data", (chunk) => (body += String(chunk)));
    request.on("end", () => {
      store.set(name, body);
      response.writeHead(201).end();
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  expect((server.address() as AddressInfo).port).toBe(port);
}

async function venue(storage?: object): Promise<Project> {
  const file = {
    ...{ formatVersion: 1, application: "socialgoal", name: "test", record: "release.json" },
    ...{ platform: { kind: "local", portBase: await freePortBase() }, topology: "sideBySide" },
    ...{ servers: { count: 2 }, start: ["node", "server.js"], ...storage },
  };
  return { environment: parseEnvironment(JSON.stringify(file), "test.json") } as Project;
}

const SHARED = { storage: { shared: ["pictures"] } };

test("each instance that runs must have it; one that answers 500 is bad for other reasons", async () => {
  const project = await venue(SHARED);
  const { blue, green } = slotEndpoints(project.environment);
  const [one, two] = [new Map<string, string>(), new Map<string, string>()];
  await site(proxyPlaces(project.environment)[0]!.port, one);
  await site(blue[0]!.port, one);
  await site(blue[1]!.port, two);
  await site(green[0]!.port, null);
  const pictures = new Pictures(project);
  const missing = "web-2 (blue) answers 404 for the picture step-1.png, which a user uploaded";
  expect(await pictures.upload()).toEqual([missing]);
  expect(await pictures.missing()).toEqual([missing]);
  two.set("step-1.png", "step-1.png");
  expect(await pictures.missing()).toEqual([]);
  one.set("step-1.png", "damaged");
  expect(await pictures.missing()).toEqual([
    "web-1 (blue) answers 200 for the picture step-1.png, which a user uploaded",
  ]);
});

test("an upload that is not accepted is told; without a shared folder nothing is uploaded", async () => {
  expect(await new Pictures(await venue(SHARED)).upload()).toEqual([
    "the picture step-1.png was not accepted: no answer",
  ]);
  expect(await new Pictures(await venue()).upload()).toEqual([]);
});
