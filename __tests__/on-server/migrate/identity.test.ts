/** Tokens and secrets, from a metadata service that is slow to know this machine. */
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import * as identity from "../../../on-server/migrate/identity";

const IDENTITY =
  "/subscriptions/0/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-operations";

let metadata: Server;
let asked: URL[] = [];
let headers: (string | string[] | undefined)[] = [];
let answers: [number, string][] = [];

beforeAll(async () => {
  metadata = createServer((request, response) => {
    asked.push(new URL(request.url!, "http://metadata"));
    headers.push(request.headers["metadata"]);
    const [status, body] = answers.shift() ?? [500, ""];
    response.writeHead(status).end(body);
  });
  await new Promise<void>((listening) => metadata.listen(0, "127.0.0.1", listening));
  process.env["IMDS_ENDPOINT"] = `http://127.0.0.1:${(metadata.address() as AddressInfo).port}`;
});

afterAll(() => metadata.close());

beforeEach(() => {
  asked = [];
  headers = [];
});

const TOKEN: [number, string] = [200, JSON.stringify({ access_token: "abc" })];

it("a token is asked for with the identity's resource id, and again where the service is busy", async () => {
  answers = [[429, "busy"], TOKEN];
  expect(await identity.accessToken("https://database.windows.net/", IDENTITY)).toBe("abc");
  expect(asked).toHaveLength(2);
  expect(Object.fromEntries(asked[0]!.searchParams)).toEqual({
    "api-version": "2018-02-01",
    resource: "https://database.windows.net/",
    msi_res_id: IDENTITY,
  });
  expect(headers).toEqual(["true", "true"]);
});

it("what can't get better is given up at once, and said", async () => {
  answers = [[400, "no such identity"], TOKEN];
  await expect(identity.accessToken("https://vault.azure.net", IDENTITY)).rejects.toThrow(/answered 400/);
  expect(asked).toHaveLength(1);
  answers = [[200, "{}"]];
  await expect(identity.accessToken("https://vault.azure.net", IDENTITY)).rejects.toThrow(/gave no token/);
});
