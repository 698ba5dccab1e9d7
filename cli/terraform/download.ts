/**
 * Fetches one file, into memory or piece by piece: https only (http for a mirror on this machine), a few redirects,
 * limits on time and size, and the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name.
 */
import type { Dispatcher } from "undici";
import { isThisMachine } from "../../release/this-machine";

const MAX_REDIRECTS = 5;
const USER_AGENT = "cdktf-bluegreen";

export interface DownloadOptions {
  /** Where the proxy variables are read from. */
  readonly env: NodeJS.ProcessEnv;
  /** A longer answer is refused. */
  readonly maxBytes: number;
  /** For the connection to the server, or to the proxy. */
  readonly connectSeconds: number;
  /** The longest silence: before the answer and within it. */
  readonly idleSeconds: number;
  /** How many are followed. @default 5 */
  readonly redirects?: number;
  /** Ends it: with an error that says nothing of the address. */
  readonly signal?: AbortSignal;
  /** Called when the answer begins and with each piece; `total` is undefined if the server does not tell. */
  readonly onProgress?: (received: number, total: number | undefined) => void;
}

/**
 * @throws Error one line: the address (without its credentials and query) and what went wrong there. A status other
 * than 200, a refused redirect, too many bytes, too few, or silence.
 */
export async function download(url: string, options: DownloadOptions): Promise<Buffer> {
  const pieces: Buffer[] = [];
  await downloadInto(async (piece) => void pieces.push(piece), url, options);
  return Buffer.concat(pieces);
}

/** The same, for what is too large to be held: `take` gets one piece after another. @throws Error as {@link download}. */
export async function downloadInto(take: Taker, url: string, options: DownloadOptions): Promise<void> {
  if (!URL.canParse(url)) throw new Error(`${JSON.stringify(url)} is no address (https://...)`);
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
      if (!URL.canParse(location, address.href)) throw new Error("it redirects to what is no address");
      address = new URL(location, address.href);
    }
  } catch (error) {
    throw new Error(`${printable(address)}: ${describeFailure(error)}`);
  }
}

/**
 * Why this address is not asked, or undefined. Plain http is for a mirror on this machine, so it has to be asked for:
 * a server that was asked by https, or that is elsewhere, cannot redirect to it.
 */
function addressRefusal(address: URL, start: URL): string | undefined {
  if (address.protocol === "https:") return undefined;
  if (address.protocol !== "http:") return `refused: ${address.protocol}// is not https`;
  if (!isThisMachine(address.hostname))
    return "refused: plain http is for a mirror on this machine only; use https";
  if (start.protocol !== "http:") return "refused: a redirect from https to plain http";
  return undefined;
}

/** The address for people: no credentials, and no query (a redirect's may be signed). */
export function printable(address: URL): string {
  return `${address.protocol}//${address.host}${address.pathname}`;
}

function authorization(address: URL): Record<string, string> {
  if (address.username === "" && address.password === "") return {};
  const pair = `${decodeURIComponent(address.username)}:${decodeURIComponent(address.password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

type Taker = (piece: Buffer) => Promise<void>;

/** @returns where it redirects to, or undefined: then all was taken. */
async function get(
  address: URL,
  headers: Record<string, string>,
  take: Taker,
  options: DownloadOptions,
): Promise<string | undefined> {
  const dispatcher = await dispatcherFor(address, options);
  let timer: NodeJS.Timeout | undefined;
  // Raced, as undici heeds a signal only once it is connected: not while a proxy keeps it waiting.
  const silence = new Promise<never>((_, reject) => {
    const refuse = (): void => reject(new Error(`nothing came for ${options.idleSeconds} s`));
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
      exchange(address, headers, dispatcher, { take, heard: () => timer?.refresh() }, options),
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
  heard(): void;
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
  listener.heard();
  response.body.on("error", () => undefined); // a body left unread is destroyed with its dispatcher
  const location = response.headers["location"];
  if (response.statusCode >= 301 && response.statusCode <= 308 && typeof location === "string")
    return location;
  if (response.statusCode !== 200) throw new Error(`HTTP status ${response.statusCode}`);
  await passOn(response, listener, options);
  return undefined;
}

async function passOn(
  response: Dispatcher.ResponseData,
  { take, heard }: Listener,
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
    heard();
    received += piece.length;
    refuseAbove(received);
    await take(piece);
    onProgress?.(received, total);
  }
}

async function dispatcherFor(address: URL, { env, connectSeconds }: DownloadOptions): Promise<Dispatcher> {
  // Loaded here: most commands fetch nothing, and it takes a tenth of a second.
  const { Agent, EnvHttpProxyAgent } = await import("undici");
  const timeout = connectSeconds * 1000;
  // What is on this machine is reached without a proxy: plain http must not leave it.
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
  // Several addresses of one host were tried (an AggregateError): the first one's failure stands for all.
  if (errors?.[0] !== undefined) return describeFailure(errors[0]);
  const untrusted = /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_UNTRUSTED/.test(code ?? "");
  return untrusted ? `${message} (NODE_EXTRA_CA_CERTS names a private authority)` : message;
}
