/**
 * A network between client and server that breaks at a given place: after a number of units (TDS packets, PostgreSQL
 * messages, TLS records) or bytes, counted over all connections in order of arrival; by RST, FIN or silence. A first run
 * without a cut counts the units; the next runs are cut at each of them.
 */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { Framing } from "./framing";
import type { Direction } from "./framing";
import { reset } from "./reset";

/**
 * `rst`: a program on libuv that gets bytes and a reset at once reads the bytes and then an end, as after `fin`.
 * `silence`: the connection stays open, and what is sent into it is lost.
 */
export type CutKind = "rst" | "fin" | "silence";

export interface CuttingRelayOptions {
  readonly target: { readonly host: string; readonly port: number };
  /** Cut after this number of units; 0: accept the first connection, relay nothing. @default never */
  readonly cutAfter?: number;
  /** Cut after this number of bytes, within a unit or not. @default never */
  readonly cutAfterBytes?: number;
  /** @default "rst" */
  readonly how?: CutKind;
  /** Cut all connections, as when the network or the server fails, or only the last counted one. @default "all" */
  readonly scope?: "all" | "connection";
  /** What happens to connections after the cut. @default "work" */
  readonly later?: "work" | "refuse" | "silence";
  /** The speed of each direction of each connection. @default no limit */
  readonly bytesPerMs?: number;
  /** @default 0, a free port */
  readonly port?: number;
}

/** One completely relayed unit. */
export interface RelayedUnit {
  /** Counts from 1. */
  readonly connection: number;
  readonly direction: Direction;
  /** As `Framing` names it. */
  readonly name: string;
}

export class CuttingRelay {
  /** All relayed units up to the cut, in order of arrival. */
  readonly units: RelayedUnit[] = [];
  private bytes = 0;
  private accepted = 0;
  private cutBy: CutKind | null = null;
  private readonly links = new Set<Link>();

  private constructor(
    private readonly server: Server,
    readonly port: number,
    private readonly options: CuttingRelayOptions,
  ) {}

  /** Listens on loopback. */
  static async start(options: CuttingRelayOptions): Promise<CuttingRelay> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(options.port ?? 0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const relay = new CuttingRelay(server, port, options);
    server.on("connection", (socket) => relay.accept(socket));
    return relay;
  }

  /** How many units were relayed, up to the cut. */
  get boundaries(): number {
    return this.units.length;
  }

  /** How many bytes were relayed, up to the cut. */
  get relayedBytes(): number {
    return this.bytes;
  }

  get isCut(): boolean {
    return this.cutBy !== null;
  }

  /** Cuts all open connections. */
  cut(how: CutKind): void {
    this.cutBy = how;
    for (const link of this.links) link.sever(how);
    if (this.options.later === "refuse") this.server.close();
  }

  async close(): Promise<void> {
    const closed = this.server.listening ? once(this.server, "close") : Promise.resolve();
    this.server.close();
    for (const link of this.links) link.destroy();
    await closed;
  }

  private accept(client: Socket): void {
    const link = new Link(client, ++this.accepted, this.options);
    this.links.add(link);
    link.relay = (direction, chunk) => this.relay(link, direction, chunk);
    link.gone = () => this.links.delete(link);
    if (this.isCut) {
      if (this.options.later === "silence") link.sever("silence");
    } else this.cutIfDue(link);
  }

  /** @returns the part of a chunk before the cut. */
  private relay(link: Link, direction: Direction, chunk: Buffer): Buffer {
    if (this.isCut) return chunk;
    let through = 0;
    for (const { bytes, ends } of link.framing.split(direction, chunk)) {
      const room = this.cutDue("cutAfterBytes", this.bytes);
      const taken = Math.min(room, bytes.length);
      this.bytes += taken;
      through += taken;
      if (ends !== null && taken === bytes.length) {
        this.units.push({ connection: link.id, direction, name: ends });
      }
      if (this.cutIfDue(link)) break;
    }
    return chunk.subarray(0, through);
  }

  private cutDue(at: "cutAfter" | "cutAfterBytes", count: number): number {
    return (this.options[at] ?? Infinity) - count;
  }

  private cutIfDue(link: Link): boolean {
    const due =
      this.cutDue("cutAfter", this.boundaries) <= 0 || this.cutDue("cutAfterBytes", this.bytes) <= 0;
    if (!due) return false;
    const how = this.options.how ?? "rst";
    if (this.options.scope === "connection") {
      this.cutBy = how;
      link.sever(how);
      if (this.options.later === "refuse") this.server.close();
    } else this.cut(how);
    return true;
  }
}

/** One client's connection and its connection to the server. */
class Link {
  readonly framing = new Framing();
  relay: (direction: Direction, chunk: Buffer) => Buffer = (_direction, chunk) => chunk;
  gone: () => void = () => undefined;
  private readonly server: Socket;
  private severed: CutKind | null = null;
  /** Pending writes, in order for each direction. */
  private readonly work = { toServer: Promise.resolve(), toClient: Promise.resolve() };

  constructor(
    private readonly client: Socket,
    readonly id: number,
    private readonly options: CuttingRelayOptions,
  ) {
    this.server = connect({ ...options.target, allowHalfOpen: true, noDelay: true });
    this.pump("toServer", this.client, this.server);
    this.pump("toClient", this.server, this.client);
  }

  /** Bytes relayed before still arrive. After a silent cut the other side keeps its connection, as in a real network. */
  sever(how: CutKind): void {
    if (this.severed !== null) return;
    this.severed = how;
    if (how === "silence") return;
    void this.end(how);
  }

  private async end(how: "rst" | "fin"): Promise<void> {
    await null; // Lets the write of the last counted chunk begin.
    await Promise.all([this.work.toServer, this.work.toClient]);
    for (const socket of [this.client, this.server]) {
      if (how === "rst") reset(socket);
      else socket.end();
    }
  }

  destroy(): void {
    reset(this.client);
    reset(this.server);
  }

  private pump(direction: Direction, from: Socket, to: Socket): void {
    from.on("data", (chunk: Buffer) => {
      if (this.severed !== null) return;
      const through = this.relay(direction, chunk);
      if (through.length === 0) return;
      from.pause();
      this.work[direction] = this.work[direction].then(() => this.write(to, through));
      void this.work[direction].then(() => from.resume());
    });
    from.on("end", () => {
      // After a cut only the relay answers each side.
      if (this.severed !== null) from.end();
      else void this.work[direction].then(() => to.end());
    });
    from.on("error", () => undefined);
    from.on("close", (failed) => {
      if (failed && this.severed === null) reset(to);
      if (this.client.destroyed && this.server.destroyed) this.gone();
    });
  }

  private async write(to: Socket, data: Buffer): Promise<void> {
    const { bytesPerMs } = this.options;
    const slice = bytesPerMs === undefined ? data.length : Math.max(1, Math.floor(bytesPerMs * SLICE_MS));
    for (let at = 0; at < data.length && !to.destroyed; at += slice) {
      const part = data.subarray(at, at + slice);
      if (bytesPerMs !== undefined) await pause(part.length / bytesPerMs);
      await new Promise<void>((resolve) => to.write(part, () => resolve()));
    }
  }
}

/** A slow line sends in slices of this time. */
const SLICE_MS = 10;
