/**
 * What every kind of proxy promises about an application that authenticates connections, as IIS does with Windows users (NTLM,
 * Negotiate): no client is served as another, whoever else is there, at rest and while traffic moves.
 */
import { Agent } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Backend, ProxyUnderTest } from "./proxy-under-test";
import type { Answer } from "./proxy-under-test";
import type { ProxyKind } from "./proxy-kinds";

const CLIENTS = 100;
const SCHEME = "NTLM";

/** A sign-in takes two requests on one connection. What follows there is that user's. */
class WindowsBackend extends Backend {
  private readonly users = new WeakMap<Socket, string>();
  private readonly asked = new WeakSet<Socket>();

  protected override async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === "/health") return super.answer(request, response);
    const { socket, headers } = request;
    response.setHeader("x-slot", this.slot);
    const [, name] = /^NTLM user (\w+)$/.exec(headers.authorization ?? "") ?? [];
    if (name !== undefined && this.asked.has(socket)) this.users.set(socket, name);
    else if (headers.authorization === `${SCHEME} begin`) this.asked.add(socket);
    const user = this.users.get(socket);
    if (user !== undefined) return void response.end(user);
    response.setHeader("www-authenticate", this.asked.has(socket) ? `${SCHEME} challenge` : SCHEME);
    response.writeHead(401).end("who are you?");
  }
}

export function promisesOfAuthentication(kind: ProxyKind, { signsIn }: { readonly signsIn: boolean }): void {
  let proxy: ProxyUnderTest;
  const agents: Agent[] = [];
  beforeAll(async () => {
    proxy = await ProxyUnderTest.create(kind, {}, (slot, port) => new WindowsBackend(slot, port), {
      servers: 2,
    });
  });
  afterEach(() => {
    for (const agent of agents.splice(0)) agent.destroy();
  });
  afterAll(() => proxy?.close());

  /** A browser's connection. */
  function client(name: string, bucket: number) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    const ask = (authorization?: string): Promise<Answer> =>
      proxy.ask({ agent, bucket, headers: authorization === undefined ? {} : { authorization } });
    return {
      name,
      ask,
      /** Like a browser: it begins once it is asked who it is. */
      visit: async () => {
        const first = await ask();
        if (first.status !== 401) return first;
        await ask(`${SCHEME} begin`);
        return ask(`${SCHEME} user ${name}`);
      },
    };
  }

  test.each([
    ["at rest", [0]],
    ["while traffic moves", [0, 20, 50, 80, 100]],
  ])("no client is served as another %s", async (_, weights) => {
    const members = Array.from({ length: CLIENTS }, (_each, index) => client(`member${index}`, index % 100));
    const strangers = Array.from({ length: CLIENTS }, (_each, index) => client("", index % 100));
    const mistaken: string[] = [];
    let signedIn = 0;
    const rounds = weights.length === 1 ? [0, 0, 0] : weights;
    for (const weight of rounds) {
      await proxy.set({ live: "blue", weight });
      await Promise.all([
        ...members.map(async ({ name, visit, ask }) => {
          for (const answer of [await visit(), await ask(), await ask()]) {
            if (answer.status !== 200) continue;
            if (answer.body === name) signedIn += 1;
            else mistaken.push(`${name} as ${answer.body}`);
          }
        }),
        ...strangers.map(async ({ ask }) => {
          for (const answer of [await ask(), await ask(), await ask()])
            if (answer.status !== 401) mistaken.push(`a stranger as ${answer.body}`);
        }),
      ]);
    }
    expect(mistaken).toEqual([]);
    // Where the proxy can keep a connection for its client, each member is signed in for all its requests.
    if (signsIn) expect(signedIn).toBe(3 * CLIENTS * rounds.length);
  });
}
