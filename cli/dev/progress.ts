/**
 * Tells that a slow step is still at work.
 *
 * @module
 */

/** After this long a person begins to wonder; and again after each such time. */
const PATIENCE_MS = 2000;

/** The outcome of `work`; a line on standard error now and then until it is there. */
export async function watched<Value>(what: string, work: Promise<Value>): Promise<Value> {
  const startedAt = performance.now();
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    console.error(`still ${what}, ${seconds} s so far …`);
  }, PATIENCE_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}
