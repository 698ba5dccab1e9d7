/** One request of a user on its way to an instance: time limits, what its failure means to the user, and its count. */
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { UPDATING } from "../director/drivers/pages";
import { Unreachable } from "./instance-connection";
import { refuse, sendPage } from "./refusal";
import type { RequestCount } from "./slot-counter";
import { UserResponse } from "./user-response";

/** The instance was silent for too long. */
class Silent extends Error {}

export class Exchange {
  private readonly socket: Socket;
  /** Of a WebSocket: the connection is no longer HTTP, or is about to end. */
  private isHandedOver = false;
  /** Whether an instance has begun an answer. */
  private isAnswered = false;

  /**
   * @param response null for a WebSocket.
   * @param count null for a preview.
   * @param answered is called with the status of a whole answer of an instance.
   */
  constructor(
    private readonly request: IncomingMessage,
    private readonly response: ServerResponse | null,
    readonly count: RequestCount | null,
    answered: (status: number) => void = () => undefined,
  ) {
    this.socket = request.socket;
    response?.once("close", () => {
      if (!response.headersSent) return;
      if (this.isAnswered) count?.ended(response.statusCode);
      else if (response.statusCode >= 500) count?.failed();
    });
    response?.once("finish", () => {
      if (this.isAnswered) answered(response.statusCode);
    });
  }

  get hasClient(): boolean {
    return !this.socket.destroyed;
  }

  /** Whether the instance has nothing to do with the connection any more. */
  private get isOver(): boolean {
    return this.isHandedOver || this.response?.writableEnded === true;
  }

  /** Whether a silence is the client's: it does not send the rest of its request, or does not read the answer. */
  isClientsTurn(): boolean {
    const { request, socket } = this;
    return (
      this.isOver || (!request.complete && request.readableFlowing === true) || socket.writableLength > 0
    );
  }

  /** Begins when the instance has accepted the connection. */
  limitSilence(sent: ClientRequest, milliseconds: number): void {
    sent.setTimeout(milliseconds);
    sent.on("timeout", () => {
      if (this.isClientsTurn()) sent.socket?.setTimeout(milliseconds);
      else if (this.response?.headersSent) this.fail(new Silent());
      else sent.destroy(new Silent());
    });
  }

  /** The answer has begun. */
  follow(answer: IncomingMessage): void {
    this.isAnswered = true;
    this.count?.answered();
    answer.once("error", () => {
      if (this.hasClient) this.count?.failed();
    });
  }

  /** For a WebSocket: until the instance accepts or answers otherwise. */
  followUpgrade(sent: ClientRequest): void {
    sent.once("upgrade", ({ statusCode = 101 }, instance: Socket) => {
      this.isHandedOver = true;
      this.count?.ended(statusCode);
      this.socket.once("close", () => instance.destroy());
      instance.once("close", () => this.socket.destroySoon());
    });
    sent.once("response", ({ statusCode = 0 }) => {
      this.isHandedOver = true;
      this.count?.ended(statusCode);
    });
  }

  /** The proxy library reports an error, which may also be the end of the client. */
  fail(error: Error): void {
    if (!this.hasClient || this.isOver) return;
    this.count?.failed();
    const { request, response = null } = this;
    if (response?.headersSent) return void response.destroy();
    const answer = response ?? responseTo(request);
    if (error instanceof Unreachable) sendPage(request, answer, UPDATING);
    else refuse(request, answer, error instanceof Silent ? 504 : 502);
  }
}

/** An answer to a request for a WebSocket, whose connection Node has left to us. */
export function responseTo(request: IncomingMessage): ServerResponse {
  const response = new UserResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(request.socket);
  response.once("finish", () => request.socket.end());
  return response;
}
