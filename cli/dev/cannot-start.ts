import { EXIT, Failure } from "../failure.ts";

/** Why the local mesh did not start, said for the person who started it: the lines name what to change. */
export function cannotStart(...lines: readonly string[]): Failure {
  return new Failure(EXIT.failure, lines);
}
