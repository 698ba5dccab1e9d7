/**
 * An application that keeps sessions in the memory of its process, answers in chunks, fails by chance, and lets users log in
 * at an identity provider of another site, which sends them back with a form POST.
 */
import { randomUUID } from "node:crypto";
import { createServer as createPlainServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import type { Slot } from "../../../release/slot";
import { Backend } from "./proxy-under-test";

const FAILURES = 0.01;
const SLOW_MS = 100;
const TEXT_FRAME = 0x81;
const PARTS = ["style.css", "script.js", "image.svg", "frame.html"];

export interface Site {
  /** Whether users use TLS: then the application's cookie survives a POST from another site for as long as it likes. */
  readonly hasTls: boolean;
  /** Where users log in. */
  readonly identityProvider: string;
}

interface Session {
  state: string | null;
  user: string | null;
}

/**
 * Paths: `/` begins a session and is a page with five parts; `/begin/` and `/slow/` begin one, too; `/part/` needs one;
 * `/static/` is for every cache, its `shell.html` asks for six parts at once that begin a session; `/login` sends the user to
 * the identity provider, who returns to `/signed-in`; `/account` needs a user. A WebSocket gets one message: the port, and who
 * the session's user is.
 */
export class SessionApplication extends Backend {
  private readonly sessions = new Map<string, Session>();

  constructor(
    slot: Slot,
    port: number,
    private readonly site: Site,
  ) {
    super(slot, port);
  }

  protected override async answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(asked.url!, "http://any");
    if (pathname === "/health" || pathname === "/proxy-healthz") return super.answer(asked, response);
    let body = "";
    for await (const chunk of asked) body += String(chunk);
    response.setHeader("x-slot", this.slot);
    response.setHeader("x-port", this.port);
    response.setHeader("x-cookies", [...cookiesOf(asked).keys()].join(" "));
    if (Math.random() < FAILURES) return inChunks(response, 500, "failed by chance");
    const [, first] = pathname.split("/");
    switch (first) {
      case "":
        this.begun(asked, response);
        return inChunks(response, 200, PAGE);
      case "slow":
        await sleep(SLOW_MS);
        this.begun(asked, response);
        return inChunks(response, 200, "begun at last");
      case "begin":
        this.begun(asked, response);
        return inChunks(response, 200, "begun");
      case "static":
        response.setHeader("cache-control", "public, max-age=60");
        return inChunks(response, 200, SHELL);
      case "part":
        if (this.sessionOf(asked) === undefined) return inChunks(response, 401, "no session");
        response.setHeader("content-type", TYPES[pathname.split(".").at(-1)!] ?? "text/plain");
        return inChunks(response, 200, "");
      case "login": {
        const session = this.begun(asked, response);
        session.state = randomUUID();
        const returnTo = `${searchParams.get("origin")}/signed-in`;
        const query = new URLSearchParams({ state: session.state, returnTo });
        response.setHeader("location", `${this.site.identityProvider}/authorize?${query}`);
        return inChunks(response, 303, "");
      }
      case "signed-in": {
        const session = this.sessionOf(asked);
        const state = new URLSearchParams(body).get("state");
        if (session === undefined || session.state !== state) return inChunks(response, 400, "unknown login");
        session.user = "alice";
        response.setHeader("location", "/account");
        return inChunks(response, 303, "");
      }
      default: {
        const user = this.sessionOf(asked)?.user ?? null;
        return inChunks(response, user === null ? 401 : 200, String(user));
      }
    }
  }

  protected override upgrade(asked: IncomingMessage, socket: Duplex): void {
    this.acceptUpgrade(asked, socket);
    const session = this.sessionOf(asked);
    const message = `${this.port} ${session === undefined ? "unknown" : (session.user ?? "guest")}`;
    socket.end(Buffer.concat([Buffer.from([TEXT_FRAME, message.length]), Buffer.from(message)]));
  }

  private sessionOf(asked: IncomingMessage): Session | undefined {
    return this.sessions.get(cookiesOf(asked).get("session") ?? "");
  }

  private begun(asked: IncomingMessage, response: ServerResponse): Session {
    const known = this.sessionOf(asked);
    if (known !== undefined) return known;
    const session = { state: null, user: null };
    const id = randomUUID();
    this.sessions.set(id, session);
    const attributes = this.site.hasTls ? "; SameSite=None; Secure" : "";
    response.setHeader("set-cookie", `session=${id}; Path=/; HttpOnly${attributes}`);
    return session;
  }
}

/** The page of another site on which users log in: it returns them with a form. @param certificate with it, over TLS */
export function identityProvider(certificate: string | null): Server {
  const answer = ({ url = "" }: IncomingMessage, response: ServerResponse): void => {
    const { searchParams } = new URL(url, "http://any");
    const [returnTo, state] = [searchParams.get("returnTo"), searchParams.get("state")];
    response.setHeader("content-type", "text/html");
    response.end(`<!doctype html><title>Log in</title>
<form method="post" action="${returnTo}"><input type="hidden" name="state" value="${state}"></form>
<script>document.forms[0].submit()</script>`);
  };
  return certificate === null
    ? createPlainServer(answer)
    : createTlsServer({ key: certificate, cert: certificate }, answer);
}

const PAGE = `<!doctype html><title>Shop</title>
<link rel="stylesheet" href="/part/${PARTS[0]}"><script src="/part/${PARTS[1]}"></script>
<img src="/part/${PARTS[2]}" alt=""><iframe src="/part/${PARTS[3]}"></iframe>
<script>fetch("/part/data.json")</script><p>Hello`;

const SHELL = `<!doctype html><title>Shop</title>
<script>for (let part = 1; part <= 6; part += 1) fetch("/slow/" + part)</script>`;

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css",
  js: "text/javascript",
  svg: "image/svg+xml",
  html: "text/html",
};

function cookiesOf({ headers }: IncomingMessage): ReadonlyMap<string, string> {
  const pairs = (headers.cookie ?? "").split(";").map((each) => each.trim().split("="));
  return new Map(pairs.flatMap(([name, value]) => (name ? [[name, value ?? ""] as const] : [])));
}

async function inChunks(response: ServerResponse, status: number, text: string): Promise<void> {
  if (!response.hasHeader("content-type")) response.setHeader("content-type", "text/html");
  response.writeHead(status);
  const half = Math.ceil(text.length / 2);
  for (const piece of [text.slice(0, half), text.slice(half)]) {
    if (piece !== "") response.write(piece);
    await turn();
  }
  response.end();
}
