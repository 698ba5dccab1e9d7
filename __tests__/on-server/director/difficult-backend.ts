/** An instance that answers in ways that proxies find difficult: early, late, never, in parts, or not at all. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Backend } from "./proxy-under-test";

export const TICKS = 5;
export const TICK_MS = 100;

/**
 * Paths: `/reset` and `/close` end the connection without an answer, `/half` within one, `/silent` never answers, `/stalls`
 * stops within an answer, `/endless` never ends, `/refused` (401, `Connection: close`) and `/unread` (413, keep-alive) answer
 * before the body was read, `/ticks` sends a chunk every {@link TICK_MS}, `/trailers` ends with one, `/seen` shows the
 * request's headers, `/large` has headers of `?kilobytes`, `/headers` has those of its query, and
 * `/status/404` has that status.
 */
export class DifficultBackend extends Backend {
  /** Requests by URL. */
  readonly asked = new Map<string, number>();

  protected override async answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = asked.url!;
    const { pathname, searchParams } = new URL(url, "http://any");
    this.asked.set(url, (this.asked.get(url) ?? 0) + 1);
    response.on("error", () => undefined).setHeader("x-slot", this.slot);
    switch (pathname) {
      case "/reset":
        return void asked.socket.resetAndDestroy();
      case "/close":
        // Read, or the end of its client is never seen.
        asked.resume();
        return void asked.socket.end();
      case "/half":
        response.setHeader("content-length", 1_000).write("half of it");
        return void setTimeout(() => asked.socket.destroy(), 20);
      case "/silent":
        return void asked.resume();
      case "/stalls":
        asked.resume();
        return void response.write("begun");
      case "/endless":
        return this.endless(response);
      case "/refused":
        response.statusCode = 401;
        return void response.setHeader("connection", "close").end("not you");
      case "/unread":
        response.statusCode = 413;
        return void response.end("too much");
      case "/ticks":
        return this.ticks(response);
      case "/trailers":
        response.writeHead(200, { trailer: "x-checksum" }).write("body");
        response.addTrailers({ "x-checksum": "abc" });
        return void response.end();
      case "/seen":
        return void response.setHeader("content-type", "application/json").end(JSON.stringify(asked.headers));
      case "/large":
        return void response
          .setHeader("x-large", "h".repeat(1_024 * Number(searchParams.get("kilobytes"))))
          .end();
      case "/headers":
        response.statusCode = Number(searchParams.get("status") ?? 200);
        for (const [name, value] of searchParams) if (name !== "status") response.setHeader(name, value);
        return void response.end();
      case `/status/${Number(pathname.slice("/status/".length))}`:
        response.statusCode = Number(pathname.slice("/status/".length));
        return void response.end();
      default:
        return super.answer(asked, response);
    }
  }

  private async ticks(response: ServerResponse): Promise<void> {
    for (let tick = 0; tick < TICKS; tick += 1) {
      response.write(`${performance.timeOrigin + performance.now()}\n`);
      await sleep(TICK_MS);
    }
    response.end();
  }

  private endless(response: ServerResponse): void {
    const tick = setInterval(() => response.write("more\n"), 10);
    response.once("close", () => clearInterval(tick));
  }
}
