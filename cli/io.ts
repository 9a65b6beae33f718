/**
 * What a command may touch of the process that it runs in.
 *
 * @module
 */
import { text } from "node:stream/consumers";

export interface Io {
  out(text: string): void;
  err(text: string): void;
  /** Standard output is a terminal: tables may have color. */
  readonly isTerminal: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** All of standard input. */
  readInput(): Promise<string>;
}

/** The real process. */
export function processIo(): Io {
  // `selvedge get all | head` closes the pipe early, and that is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
  return {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    isTerminal: process.stdout.isTTY === true,
    env: process.env,
    cwd: process.cwd(),
    readInput: () => text(process.stdin),
  };
}
