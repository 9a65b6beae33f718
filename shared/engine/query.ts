/**
 * Query parameters, as routes compare them.
 *
 * @module
 */

/**
 * Reads a query (without `?`) as parameters in the form encoding of the URL
 * standard: pairs between `&`, `+` for a space, percent-encoded UTF-8. Of a
 * repeated parameter the first value counts (Gateway API leaves it open). An
 * escape that does not decode leaves its name or value as it was sent.
 */
export function parseQuery(query: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decode(equals === -1 ? pair : pair.slice(0, equals));
    if (!parameters.has(name)) parameters.set(name, equals === -1 ? "" : decode(pair.slice(equals + 1)));
  }
  return parameters;
}

function decode(text: string): string {
  const spaced = text.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    // Malformed by the client: no reason to refuse the call, and it equals no configured value by accident.
    return text;
  }
}
