/**
 * Paths with operators for segments: Istio's path templates.
 *
 * @module
 */

/**
 * `{*}` is exactly one segment, `{**}` any text, slashes included, or none.
 * There is at most one `{**}`, and no operator after it.
 */
export interface PathTemplate {
  readonly kind: "template";
  /** The segments before `{**}`, or all of them; `null` is `{*}`. */
  readonly head: readonly (string | null)[];
  /** What follows `{**}`, with its slash; `null` when the template has none. */
  readonly tail: string | null;
}

/** Whether a text is meant as a template. */
export function isTemplate(text: string): boolean {
  return text.includes("{") || text.includes("}");
}

/** Reads a template; `null` when an operator is unknown, is not a whole segment, or follows `{**}`. */
export function parseTemplate(text: string): PathTemplate | null {
  if (!text.startsWith("/")) return null;
  const segments = text.slice(1).split("/");
  const isSound = segments.every(
    (segment) => segment === "{*}" || segment === "{**}" || !/[{}*]/.test(segment),
  );
  if (!isSound) return null;
  const rest = segments.indexOf("{**}");
  const head = (rest === -1 ? segments : segments.slice(0, rest)).map((one) => (one === "{*}" ? null : one));
  if (rest === -1) return { kind: "template", head, tail: null };
  const after = segments.slice(rest + 1);
  if (after.some((segment) => isTemplate(segment))) return null;
  return { kind: "template", head, tail: after.map((segment) => `/${segment}`).join("") };
}

/** Whether a canonical path has the template's form. */
export function matchesTemplate({ head, tail }: PathTemplate, path: string): boolean {
  let at = 0;
  for (const segment of head) {
    if (path.charAt(at) !== "/") return false;
    const slash = path.indexOf("/", at + 1);
    const end = slash === -1 ? path.length : slash;
    const length = end - at - 1;
    if (segment === null ? length === 0 : segment.length !== length || !path.startsWith(segment, at + 1))
      return false;
    at = end;
  }
  if (tail === null) return at === path.length;
  return path.charAt(at) === "/" && path.length - at - 1 >= tail.length && path.endsWith(tail);
}
