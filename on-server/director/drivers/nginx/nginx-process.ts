/** NGINX as a process: which configuration it serves with, and how it loads another one. */
import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, readFileSync, renameSync, statSync } from "node:fs";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { writeAtomically } from "../../../../system/atomic-file";
import { ADMIN_SOCKET, CONFIGURATION, ERROR_LOG, PID_FILE } from "./nginx-configuration";
import { nginxEnvironment } from "./nginx-program";

const TIMEOUT_MS = 5_000;
const RELOAD_MS = 15_000;
const ERROR_LOG_LIMIT = 8 * 1024 * 1024;
const PREVIOUS = `${CONFIGURATION}.previous`;

/** The digest of the configuration that serves. @throws Error if NGINX does not answer. */
export function servingGeneration(): Promise<string> {
  // NGINX gives its sockets to all accounts.
  try {
    chmodSync(ADMIN_SOCKET, 0o600);
  } catch {
    // Missing, or another account's: asking it fails, too.
  }
  return new Promise((resolve, reject) => {
    const unreachable = (error: Error): void =>
      reject(new Error(`nginx can't be reached on ${ADMIN_SOCKET}: ${error.message}; is the proxy running?`));
    const asked = request(
      { socketPath: ADMIN_SOCKET, path: "/generation", timeout: TIMEOUT_MS, agent: false },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (text += chunk));
        response.on("error", unreachable);
        response.on("end", () =>
          /^[0-9a-f]{64}$/.test(text) ? resolve(text) : unreachable(new Error("another program answers")),
        );
      },
    );
    asked.on("timeout", () => asked.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    asked.on("error", unreachable);
    asked.end();
  });
}

export function masterPid(): number {
  return Number(readFileSync(PID_FILE, "utf8"));
}

/** Makes NGINX open its logs again, by their names. */
export function reopenLogs(): void {
  process.kill(masterPid(), "SIGUSR1");
}

/** NGINX itself replaces no log. */
export function limitErrorLog(): void {
  if (!existsSync(ERROR_LOG) || statSync(ERROR_LOG).size < ERROR_LOG_LIMIT) return;
  renameSync(ERROR_LOG, `${ERROR_LOG}.older`);
  reopenLogs();
}

/**
 * Makes the running NGINX serve with another configuration.
 * @throws Error if NGINX rejects it, or does not serve with it in time: then the old one stays.
 */
export async function reload(configuration: string): Promise<void> {
  const wanted = /return 200 '([0-9a-f]{64})'/.exec(configuration)![1]!;
  if ((await servingGeneration()) === wanted) return writeAtomically(CONFIGURATION, configuration);
  writeAtomically(`${CONFIGURATION}.new`, configuration);
  await check(`${CONFIGURATION}.new`);
  if (existsSync(CONFIGURATION)) copyFileSync(CONFIGURATION, PREVIOUS);
  renameSync(`${CONFIGURATION}.new`, CONFIGURATION);
  process.kill(masterPid(), "SIGHUP");
  if (await serves(wanted)) return;
  if (existsSync(PREVIOUS)) renameSync(PREVIOUS, CONFIGURATION);
  process.kill(masterPid(), "SIGHUP");
  throw new Error(
    `nginx did not load the new configuration within ${RELOAD_MS / 1000} s, the old one still serves: check nginx-error.log`,
  );
}

/** Several answers in a row: workers of the old configuration may still accept for a moment. */
async function serves(generation: string): Promise<boolean> {
  const end = performance.now() + RELOAD_MS;
  let inARow = 0;
  while (inARow < 5 && performance.now() < end) {
    inARow = (await servingGeneration()) === generation ? inARow + 1 : 0;
    await sleep(20);
  }
  return inARow >= 5;
}

function check(file: string): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(
      "nginx",
      ["-t", "-q", "-p", `${process.cwd()}/`, "-c", file],
      { env: nginxEnvironment() },
      (error, _stdout, stderr) => {
        if (error === null) return resolve();
        const [problem] = /\[emerg\].*/.exec(stderr) ?? [error.message];
        return reject(new Error(`nginx does not accept the new configuration: ${problem}`));
      },
    );
  });
}
