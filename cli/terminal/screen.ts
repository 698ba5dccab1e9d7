/** The part of a terminal that is redrawn in place; printed lines stay above it. */
import { stripVTControlCharacters } from "node:util";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export type Compose = (size: Size) => readonly string[];

/** The part of log-update that is used here. */
interface Log {
  (text: string): void;
  persist(text: string): void;
  clear(): void;
  done(): void;
}

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

  /** Draws this from now on. */
  show(compose: Compose): void {
    this.compose = compose;
    this.redraw();
  }

  /** The first line: the current activity. Empty: no such line. */
  setTitle(text: string): void {
    this.title = text;
    this.redraw();
  }

  /** Prints a line that stays, above the drawing. */
  print(line: string): void {
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
    // log-update 7.2 takes a trailing empty line for the cursor's line.
    this.log(this.drawn.map((line) => line || " ").join("\n"));
  }

  /** @param keep leaves the last drawing on the terminal. */
  close({ keep }: { readonly keep: boolean }): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.stream.off("resize", this.resized);
    if (!keep) this.log.clear();
    this.log.done();
  }

  private get size(): Size {
    const { columns, rows } = sized(this.stream);
    // The cursor needs a line below the drawing.
    return { columns, rows: Math.max(1, rows - 1) };
  }

  /** After a resize, lines may wrap and take more rows than were drawn. */
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

/** Some terminals, for example in containers, report 0 columns and rows. */
function sized(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  return Object.create(stream, {
    columns: { get: () => stream.columns || 80 },
    rows: { get: () => stream.rows || 24 },
  }) as NodeJS.WriteStream;
}
