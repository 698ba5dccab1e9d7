/** A client's connection after the negotiation: LOGIN7, then requests one after another, and attention at any time. */
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { encode, newSessionState } from "./answers";
import type { Answer, SessionState } from "./answers";
import { MalformedTds } from "./bytes";
import { readLogin7 } from "./login7";
import type { TdsLogin } from "./login7";
import type { Negotiated } from "./negotiation";
import { MessageReader, packets, PacketType } from "./packets";
import type { Message } from "./packets";
import { readRequest } from "./requests";
import type { TdsRequest } from "./requests";
import { done, DoneStatus, envChange, error, featureExtAck, info, loginAck } from "./tokens";
import type { SqlError } from "./tokens";
import { reset } from "../reset";

/** What a session sees of its connection. */
interface TdsConnection {
  /** Counts from 1 in each server; also the `@@SPID` that a session may answer. */
  readonly id: number;
  readonly encryption: Negotiated["encryption"];
  /** Ends the connection at once, even during an answer. */
  disconnect(how: "fin" | "rst"): void;
}

export interface TdsSession {
  /**
   * Answers one request; the next one waits for it.
   * @param cancelled the client sent an attention, or disconnected: settle soon, the answer is not sent.
   */
  request(request: TdsRequest, cancelled: AbortSignal): Promise<readonly Answer[]>;
  /** The connection ended: roll back open work and release locks. Called once. */
  closed(): void;
}

export interface ConnectionOptions {
  readonly login: (login: TdsLogin) => readonly SqlError[] | null | Promise<readonly SqlError[] | null>;
  readonly session: (login: TdsLogin, connection: TdsConnection) => TdsSession;
  readonly redirect: (login: TdsLogin) => { readonly server: string; readonly port: number } | null;
}

const LARGEST_PACKET = 32_767;
const SMALLEST_PACKET = 512;
const TDS_8_VERSION = 0x0800_0000;
const TDS_7_4_VERSION = 0x7400_0004;
const OPERATION_CANCELLED = done("done", DoneStatus.error);
const ATTENTION_ACKNOWLEDGED = done("done", DoneStatus.attention);

export class Connection implements TdsConnection {
  readonly encryption: Negotiated["encryption"];
  private readonly stream: Duplex;
  private readonly reader = new MessageReader();
  private packetSize = 4096;
  private state: SessionState = newSessionState("");
  private session: TdsSession | null = null;
  /** The messages in progress, in order. */
  private work: Promise<void> = Promise.resolve();
  private running: AbortController | null = null;

  /** @param failed is called with protocol errors of clients and with errors of sessions. */
  constructor(
    readonly id: number,
    private readonly socket: Socket,
    negotiated: Negotiated,
    private readonly options: ConnectionOptions,
    private readonly failed: (error: Error) => void,
  ) {
    this.stream = negotiated.stream;
    this.encryption = negotiated.encryption;
    this.stream.on("error", () => this.socket.destroy());
    this.stream.on("end", () => this.stream.end());
    this.stream.on("data", (chunk: Buffer) => this.receive(chunk));
    if (socket.destroyed) this.gone();
    else socket.once("close", () => this.gone());
  }

  disconnect(how: "fin" | "rst"): void {
    if (how === "rst") reset(this.socket);
    else this.stream.end();
  }

  private gone(): void {
    this.running?.abort();
    this.session?.closed();
    this.session = null;
  }

  private receive(chunk: Buffer): void {
    try {
      for (const message of this.reader.take(chunk)) {
        if (message.type === PacketType.attention) this.attention();
        else this.after(() => this.handle(message));
      }
    } catch (problem) {
      this.fail(problem);
    }
  }

  private after(step: () => Promise<void>): void {
    this.work = this.work.then(step).catch((problem: unknown) => this.fail(problem));
  }

  private fail(problem: unknown): void {
    if (!this.socket.destroyed) this.failed(problem instanceof Error ? problem : new Error(String(problem)));
    this.socket.destroy();
  }

  private async handle(message: Message): Promise<void> {
    if (this.socket.destroyed) return;
    if (this.session !== null) return this.answer(message);
    if (message.type !== PacketType.login7)
      throw new MalformedTds(`a message of type ${message.type} instead of LOGIN7`);
    await this.logIn(message.data);
  }

  private async logIn(data: Buffer): Promise<void> {
    const { tdsVersion, packetSize, features, ...given } = readLogin7(data);
    const login: TdsLogin = { ...given, encrypted: this.encryption !== "none" };
    const refused = await this.options.login(login);
    if (this.socket.destroyed) return;
    if (refused !== null) {
      await this.send(Buffer.concat([...refused.map(error), done("done", DoneStatus.error)]));
      this.disconnect("fin");
      return;
    }
    const size = Math.min(Math.max(packetSize, SMALLEST_PACKET), LARGEST_PACKET);
    const database = login.database === "" ? "master" : login.database;
    const route = this.options.redirect(login);
    this.state = newSessionState(database);
    if (route === null) this.session = this.options.session(login, this);
    await this.send(
      Buffer.concat([
        envChange.database(database, "master"),
        info({ number: 5701, state: 2, message: `Changed database context to '${database}'.` }),
        envChange.collation(),
        envChange.language("us_english"),
        loginAck(tdsVersion === TDS_8_VERSION ? TDS_8_VERSION : TDS_7_4_VERSION),
        envChange.packetSize(size, 4096),
        featureExtAck(features),
        ...(route === null ? [] : [envChange.routing(route.server, route.port)]),
        done("done", 0),
      ]),
    );
    this.packetSize = size;
  }

  private async answer(message: Message): Promise<void> {
    if (message.ignore) return this.send(OPERATION_CANCELLED);
    const request = readRequest(message);
    const running = new AbortController();
    this.running = running;
    try {
      const answers = await this.session!.request(request, running.signal);
      if (this.socket.destroyed) return;
      if (running.signal.aborted) return await this.send(OPERATION_CANCELLED);
      await this.deliver(answers, request);
    } finally {
      this.running = null;
    }
  }

  private async deliver(answers: readonly Answer[], { kind, reset }: TdsRequest): Promise<void> {
    const at = answers.findIndex((answer) => "disconnect" in answer);
    const before = reset ? envChange.resetConnection() : Buffer.alloc(0);
    if (at === -1) return this.send(Buffer.concat([before, encode(answers, kind, this.state)]));
    if (at > 0) await this.send(Buffer.concat([before, encode(answers.slice(0, at), kind, this.state)]));
    const last = answers[at]!;
    if ("disconnect" in last) this.disconnect(last.disconnect);
  }

  /** Cancels the running request. Its answer is one message; the acknowledgement is the next one. */
  private attention(): void {
    this.running?.abort();
    this.after(() => this.send(ATTENTION_ACKNOWLEDGED));
  }

  /** Packet by packet: with TLS each becomes a separate record, so that a relay can count them. */
  private async send(data: Buffer): Promise<void> {
    for (const packet of packets(PacketType.response, data, this.packetSize)) {
      if (this.socket.destroyed) return;
      await new Promise<void>((resolve) => this.stream.write(packet, () => resolve()));
    }
  }
}
