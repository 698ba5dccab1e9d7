/**
 * Downloads a file, into memory or piece by piece: https only (http for a mirror on this machine), with limits on
 * redirects, time and size, and through the proxy in HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
 */
import type { Dispatcher } from "undici";
import { isThisMachine } from "../../release/this-machine";

const MAX_REDIRECTS = 5;
const USER_AGENT = "cdktf-bluegreen";

export interface DownloadOptions {
  /** Has the proxy variables. */
  readonly env: NodeJS.ProcessEnv;
  /** Refuses a longer response. */
  readonly maxBytes: number;
  /** For the connection to the server, or to the proxy. */
  readonly connectSeconds: number;
  /** The longest time without data, before the response and within it. */
  readonly idleSeconds: number;
  /** The maximum number of redirects. @default 5 */
  readonly redirects?: number;
  /** Cancels the download, with an error that does not contain the address. */
  readonly signal?: AbortSignal;
  /** Called when the response begins and for each piece; `total` is undefined if the server does not send it. */
  readonly onProgress?: (received: number, total: number | undefined) => void;
}

/**
 * @throws Error in one line: the address (without credentials and query) and the problem: a status other than 200, a
 * refused redirect, too many or too few bytes, or a timeout.
 */
export async function download(url: string, options: DownloadOptions): Promise<Buffer> {
  const pieces: Buffer[] = [];
  await downloadInto(async (piece) => void pieces.push(piece), url, options);
  return Buffer.concat(pieces);
}

/** The same for large files: `take` gets one piece after another. @throws Error as {@link download}. */
export async function downloadInto(take: Taker, url: string, options: DownloadOptions): Promise<void> {
  if (!URL.canParse(url)) throw new Error(`${JSON.stringify(url)} is not an address (https://...)`);
  const start = new URL(url);
  const { redirects = MAX_REDIRECTS } = options;
  let address = start;
  try {
    for (let hop = 0; ; hop++) {
      const refusal = addressRefusal(address, start);
      if (refusal !== undefined) throw new Error(refusal);
      const headers = address.origin === start.origin ? authorization(start) : {};
      const location = await get(address, headers, take, options);
      if (location === undefined) return;
      if (hop === redirects) throw new Error(hop === 0 ? "it redirects" : `more than ${hop} redirects`);
      if (!URL.canParse(location, address.href)) throw new Error("it redirects to an invalid address");
      address = new URL(location, address.href);
    }
  } catch (error) {
    throw new Error(`${printable(address)}: ${describeFailure(error)}`);
  }
}

/**
 * Why this address is refused, or undefined. Plain http is for a mirror on this machine, and only if the caller's address
 * has it: a redirect from https or from another machine to plain http is refused.
 */
function addressRefusal(address: URL, start: URL): string | undefined {
  if (address.protocol === "https:") return undefined;
  if (address.protocol !== "http:") return `refused: ${address.protocol}// is not https`;
  if (!isThisMachine(address.hostname))
    return "refused: plain http is for a mirror on this machine only; use https";
  if (start.protocol !== "http:") return "refused: a redirect from https to plain http";
  return undefined;
}

/** The address without credentials and query (a redirect's query may have a signature). */
export function printable(address: URL): string {
  return `${address.protocol}//${address.host}${address.pathname}`;
}

function authorization(address: URL): Record<string, string> {
  if (address.username === "" && address.password === "") return {};
  const pair = `${decodeURIComponent(address.username)}:${decodeURIComponent(address.password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

type Taker = (piece: Buffer) => Promise<void>;

/** @returns the target of a redirect, or undefined after a complete download. */
async function get(
  address: URL,
  headers: Record<string, string>,
  take: Taker,
  options: DownloadOptions,
): Promise<string | undefined> {
  const dispatcher = await dispatcherFor(address, options);
  let timer: NodeJS.Timeout | undefined;
  // A race, because undici ignores a signal until it is connected: a proxy may keep it waiting.
  const silence = new Promise<never>((_, reject) => {
    const refuse = (): void => reject(new Error(`no data for ${options.idleSeconds} s`));
    timer = setTimeout(refuse, options.idleSeconds * 1000);
  });
  let stop: (() => void) | undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = (): void => reject(new Error("stopped"));
    if (options.signal?.aborted === true) stop();
    options.signal?.addEventListener("abort", stop);
  });
  try {
    return await Promise.race([
      exchange(address, headers, dispatcher, { take, received: () => timer?.refresh() }, options),
      silence,
      stopped,
    ]);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", stop!);
    dispatcher.destroy().catch(() => undefined);
  }
}

interface Listener {
  readonly take: Taker;
  received(): void;
}

async function exchange(
  address: URL,
  headers: Record<string, string>,
  dispatcher: Dispatcher,
  listener: Listener,
  options: DownloadOptions,
): Promise<string | undefined> {
  const response = await dispatcher.request({
    ...{ origin: address.origin, path: `${address.pathname}${address.search}`, method: "GET" },
    headers: { "user-agent": USER_AGENT, ...headers },
    headersTimeout: 0, // `silence` watches both
    bodyTimeout: 0,
  });
  listener.received();
  response.body.on("error", () => undefined); // the dispatcher destroys an unread body
  const location = response.headers["location"];
  if (response.statusCode >= 301 && response.statusCode <= 308 && typeof location === "string")
    return location;
  if (response.statusCode !== 200) throw new Error(`HTTP status ${response.statusCode}`);
  await passOn(response, listener, options);
  return undefined;
}

async function passOn(
  response: Dispatcher.ResponseData,
  { take, received: notify }: Listener,
  { maxBytes, onProgress }: DownloadOptions,
): Promise<void> {
  const length = response.headers["content-length"];
  const total = typeof length === "string" ? Number(length) : undefined;
  let received = 0;
  const refuseAbove = (bytes: number): void => {
    if (bytes > maxBytes) throw new Error(`refused: larger than ${maxBytes} bytes`);
  };
  refuseAbove(total ?? 0);
  onProgress?.(0, total);
  for await (const piece of response.body as AsyncIterable<Buffer>) {
    notify();
    received += piece.length;
    refuseAbove(received);
    await take(piece);
    onProgress?.(received, total);
  }
}

async function dispatcherFor(address: URL, { env, connectSeconds }: DownloadOptions): Promise<Dispatcher> {
  // Imported here: it takes 0.1 s, and most commands download nothing.
  const { Agent, EnvHttpProxyAgent } = await import("undici");
  const timeout = connectSeconds * 1000;
  // No proxy for this machine: plain http must not leave it.
  if (isThisMachine(address.hostname)) return new Agent({ connect: { timeout } });
  return new EnvHttpProxyAgent({
    connect: { timeout },
    proxyTls: { timeout },
    httpProxy: env["http_proxy"] ?? env["HTTP_PROXY"] ?? "",
    httpsProxy: env["https_proxy"] ?? env["HTTPS_PROXY"] ?? "",
    noProxy: env["no_proxy"] ?? env["NO_PROXY"] ?? "",
  });
}

function describeFailure(error: unknown): string {
  const { message, code, errors } = error as NodeJS.ErrnoException & { readonly errors?: readonly unknown[] };
  // An AggregateError, for several addresses of one host: reports the first failure.
  if (errors?.[0] !== undefined) return describeFailure(errors[0]);
  const untrusted = /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_UNTRUSTED/.test(code ?? "");
  return untrusted ? `${message} (for a private authority set NODE_EXTRA_CA_CERTS)` : message;
}
