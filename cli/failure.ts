/**
 * How commands end. Scripts read the exit code, people the lines on standard
 * error.
 *
 * @module
 */
import type { ProblemCode } from "../shared/wire/problem.ts";

/** Exit codes; docs/cli.md tells what each means. */
export const EXIT = {
  ok: 0,
  /** The mesh said no, or `diff` found differences. */
  failure: 1,
  /** The command line is wrong, or `diff` could not compare. */
  usage: 2,
  notFound: 3,
  /** No admin token, or the wrong one. */
  refused: 4,
  /** No mesh answered, or not in time. */
  unreachable: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An expected end of a command: what went wrong, then what to do about it, a line each. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly exitCode: ExitCode;
  readonly lines: readonly string[];
  /** What the mesh refused a call with, where it did. */
  readonly code: ProblemCode | null;

  constructor(
    exitCode: ExitCode,
    lines: readonly string[],
    options?: { readonly cause?: unknown; readonly code?: ProblemCode },
  ) {
    super(lines.join("\n"), options);
    this.code = options?.code ?? null;
    this.exitCode = exitCode;
    this.lines = lines;
  }
}
