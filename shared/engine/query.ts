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
  for (const [name, value] of pairsOf(query)) if (!parameters.has(name)) parameters.set(name, value);
  return parameters;
}

/** Every value of a parameter, in order: for whoever may not overlook one. */
export function valuesOf(query: string, name: string): readonly string[] {
  return [...pairsOf(query)].filter(([each]) => each === name).map(([, value]) => value);
}

function* pairsOf(query: string): Generator<readonly [name: string, value: string]> {
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    if (equals === -1) yield [decode(pair), ""];
    else yield [decode(pair.slice(0, equals)), decode(pair.slice(equals + 1))];
  }
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
