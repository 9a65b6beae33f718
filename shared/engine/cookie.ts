/**
 * Cookies, as requests carry them.
 *
 * @module
 */

/** Reads a cookie's value from a Cookie field; `null` when it is not there. Of a repeated one the first counts. */
export function cookieOf(field: string | null, name: string): string | null {
  for (const pair of (field ?? "").split(";")) {
    const equals = pair.indexOf("=");
    if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return null;
}
