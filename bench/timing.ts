/**
 * Timing of what is too short to be timed once.
 *
 * @module
 */

const ITERATIONS = 200_000;

const RUNS = 5;

/** The best of five runs: what the code costs when nothing else runs. `decide` must hold, or the figure means nothing. */
export function nanoseconds(decide: (n: number) => boolean): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const started = performance.now();
    for (let n = 0; n < ITERATIONS; n++) assertRight(decide(n));
    best = Math.min(best, perIteration(started));
  }
  return best;
}

/** The same for what has to be waited for. */
export async function nanosecondsEach(decide: (n: number) => Promise<boolean>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const started = performance.now();
    for (let n = 0; n < ITERATIONS; n++) assertRight(await decide(n));
    best = Math.min(best, perIteration(started));
  }
  return best;
}

function assertRight(isRight: boolean): void {
  if (!isRight) throw new Error("the decision went the wrong way");
}

function perIteration(started: number): number {
  return ((performance.now() - started) * 1e6) / ITERATIONS;
}

/** The values in turn. */
export function at<T>(values: readonly T[], n: number): T {
  const value = values[n % values.length];
  if (value === undefined) throw new Error("nothing to measure");
  return value;
}
