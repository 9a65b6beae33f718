/**
 * Text that a command is given as a file.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { EXIT, Failure } from "./failure.ts";
import type { Io } from "./io.ts";

/** The text of a file; `-` is standard input. Rejects with a `Failure` that says what is wrong with it. */
export async function readText(file: string, io: Io): Promise<string> {
  if (file === "-") return io.readInput();
  try {
    return await readFile(resolve(io.cwd, file), "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Failure(EXIT.failure, [`${file} cannot be read: ${reason}`], { cause });
  }
}
