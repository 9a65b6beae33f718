/**
 * Why the local mesh did not start, said for the person who started it: the
 * message names what to change. No stack is worth printing.
 */
export class StartError extends Error {
  override readonly name = "StartError";
}
