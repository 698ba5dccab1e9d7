/** The part of a terminal that is drawn again and again in place; what is said meanwhile stays above it. */
import { stripVTControlCharacters } from "node:util";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export type Compose = (size: Size) => readonly string[];

/** What is used of log-update. */
interface Log {
  (text: string): void;
  persist(text: string): void;
  clear(): void;
  done(): void;
}

/** The braille dots of other spinners. */
const SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const SPINNER_MS = 100;
const UP_AND_ERASE = (rows: number): string => `\r\u001b[${rows}A\u001b[0J`;

export class Screen {
  private compose: Compose = () => [];
  private title = "";
  private drawn: readonly string[] = [];
  private log: Log;
  private isClosed = false;

  private constructor(
    private readonly stream: NodeJS.WriteStream,
    private readonly newLog: () => Log,
  ) {
    this.log = newLog();
    stream.on("resize", this.resized);
  }

  static async open(stream: NodeJS.WriteStream): Promise<Screen> {
    const { createLogUpdate } = await import("log-update");
    return new Screen(stream, () => createLogUpdate(sized(stream)));
  }

  /** What is drawn from now on. */
  show(compose: Compose): void {
    this.compose = compose;
    this.redraw();
  }

  /** The first line says what is done; empty: there is none. */
  setTitle(text: string): void {
    this.title = text;
    this.redraw();
  }

  /** Stays, above what is drawn. */
  say(line: string): void {
    if (this.isClosed) return void this.stream.write(`${line}\n`);
    this.log.persist(line);
    this.redraw();
  }

  redraw(): void {
    if (this.isClosed) return;
    const { columns, rows } = this.size;
    const spinner = SPINNER[Math.floor(Date.now() / SPINNER_MS) % SPINNER.length]!;
    const head = this.title === "" ? [] : [`${spinner} ${this.title}`.slice(0, columns)];
    this.drawn = [...head, ...this.compose({ columns, rows: rows - head.length })];
    // An empty line after what was drawn last would be taken for the one that the cursor is on (log-update 7.2).
    this.log(this.drawn.map((line) => line || " ").join("\n"));
  }

  /** @param keep leaves what was drawn last. */
  close({ keep }: { readonly keep: boolean }): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.stream.off("resize", this.resized);
    if (!keep) this.log.clear();
    this.log.done();
  }

  private get size(): Size {
    const { columns, rows } = sized(this.stream);
    // Below what is drawn the cursor has a line.
    return { columns, rows: Math.max(1, rows - 1) };
  }

  /** Lines that were as wide as the terminal are broken now: more rows than were drawn. */
  private readonly resized = (): void => {
    const { columns } = this.size;
    const rows = this.drawn.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(stripVTControlCharacters(line).length / columns)),
      0,
    );
    if (rows > 0) this.stream.write(UP_AND_ERASE(rows));
    this.log = this.newLog();
    this.redraw();
  };
}

/** Some terminals, as in containers, say that they have no columns and no rows: they don't know. */
function sized(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  return Object.create(stream, {
    columns: { get: () => stream.columns || 80 },
    rows: { get: () => stream.rows || 24 },
  }) as NodeJS.WriteStream;
}
