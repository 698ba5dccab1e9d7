#!/usr/bin/env node
/** The command `bluegreen`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CommanderError } from "commander";
import { EXIT } from "../release/exit-code";
import type { ExitCode } from "../release/exit-code";
import { Failure } from "../release/failure";
import { inOneLine } from "../release/text";
import { buildProgram } from "./program";
import { err } from "./terminal/colours";

const { version: VERSION } = JSON.parse(
  readFileSync(join(__dirname, "..", "..", "package.json"), "utf8"),
) as { version: string };

async function main(): Promise<void> {
  ignoreClosedPipe(process.stdout);
  ignoreClosedPipe(process.stderr);
  try {
    await buildProgram(VERSION).parseAsync();
  } catch (error) {
    process.exitCode = explain(error);
  }
}

/** The reader may close the pipe (`| head -1`): a release still continues to its end. */
function ignoreClosedPipe(stream: NodeJS.WriteStream): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

function explain(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.badInput;
  // A message may quote arguments or files: one line, no control characters.
  if (error instanceof Failure) {
    console.error(err.red(inOneLine(error.message)));
    return error.exitCode;
  }
  console.error(error);
  return EXIT.unexpected;
}

void main();
