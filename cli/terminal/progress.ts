/** Progress on stderr: one changing line on a terminal, otherwise one line per change. */
import { createSpinner } from "nanospinner";
import type { Spinner } from "nanospinner";
import { err } from "./colours";
import type { Screen } from "./screen";

export interface Progress {
  /** The current activity; replaces the one before. */
  now(text: string): void;
  /** Stays on the screen. */
  done(text: string): void;
  failed(text: string): void;
  /** Stays on the screen; not a step. */
  note(text: string): void;
  stop(): void;
  /**
   * Draws on a screen: `now` becomes its first line, lines that stay are printed above it. null ends this. Only on a
   * terminal.
   */
  drawOn?(screen: Screen | null): void;
  /** Details within a step; not on a terminal. */
  log?(text: string): void;
}

export const SILENT: Progress = {
  now: () => {},
  done: () => {},
  failed: () => {},
  note: () => {},
  stop: () => {},
};

export function createProgress(): Progress {
  // Some pipelines have a terminal without a width: nothing can be drawn on it.
  return process.stderr.isTTY && process.stderr.columns > 0 ? new TerminalProgress() : new PlainProgress();
}

/** For one of several concurrent activities. */
export function withPrefix(prefix: string, progress: Progress): Progress {
  return {
    now: (text) => progress.now(prefix + text),
    done: (text) => progress.done(prefix + text),
    failed: (text) => progress.failed(prefix + text),
    note: (text) => progress.note(prefix + text),
    stop: () => progress.stop(),
  };
}

class TerminalProgress implements Progress {
  private spinner: Spinner | undefined;
  private screen: Screen | null = null;

  now(text: string): void {
    if (this.screen !== null) return this.screen.setTitle(text);
    const line = text.slice(0, Math.max(20, (process.stderr.columns || 80) - 4));
    if (this.spinner === undefined) this.spinner = createSpinner(line, { stream: process.stderr }).start();
    else this.spinner.update({ text: line });
  }

  done(text: string): void {
    this.end(`${err.green("✔")} ${text}`);
  }

  failed(text: string): void {
    this.end(`${err.red("✖")} ${text}`);
  }

  note(text: string): void {
    this.end(text);
  }

  stop(): void {
    this.spinner?.clear();
    this.spinner?.stop();
    this.spinner = undefined;
  }

  drawOn(screen: Screen | null): void {
    this.stop();
    this.screen = screen;
  }

  private end(line: string): void {
    if (this.screen !== null) return this.screen.print(line);
    this.stop();
    process.stderr.write(`${line}\n`);
  }
}

class PlainProgress implements Progress {
  private last = "";

  now(text: string): void {
    if (text !== this.last) process.stderr.write(`${text}\n`);
    this.last = text;
  }

  done(text: string): void {
    this.now(`ok: ${text}`);
  }

  failed(text: string): void {
    this.now(`failed: ${text}`);
  }

  note(text: string): void {
    this.now(text);
  }

  log(text: string): void {
    this.now(`  ${text}`);
  }

  stop(): void {}
}
