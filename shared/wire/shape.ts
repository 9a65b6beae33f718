/**
 * Limits on the bare shape of a document, checked before any schema looks at
 * it: a schema's work grows with what it is given.
 *
 * @module
 */

/** Kubernetes' own limit is etcd's 1.5 MiB for an object; ours leaves room for many in one apply. */
export const MAX_DOCUMENT_BYTES = 256 * 1024;

/** Deeper nesting has no use here and breaks structured clone at about 5,000. */
export const MAX_DEPTH = 32;

/** Values in one document; a document of this many one-digit numbers has the largest size. */
const MAX_VALUES = MAX_DOCUMENT_BYTES / 2;

/** Keys that reach an object's prototype when they are copied carelessly. */
const FORBIDDEN_KEYS = new Set(["__proto__", "constructor", "prototype"]);

/**
 * What is wrong with a document's shape, in words, or `null`. Shared values
 * (YAML aliases) are counted each time that they occur, so that a small text
 * cannot stand for a huge document; a cycle is too deep.
 */
export function inspectShape(document: unknown): string | null {
  let left = MAX_VALUES;

  function inspect(value: unknown, depth: number): string | null {
    if (depth > MAX_DEPTH) return `is nested too deeply: at most ${MAX_DEPTH} levels`;
    left -= 1;
    if (left < 0) return "is too large: split it";
    if (!isContainer(value))
      return isScalar(value) ? null : `holds a value that is not JSON (${typeof value})`;

    for (const [key, item] of Object.entries(value)) {
      if (FORBIDDEN_KEYS.has(key)) return `holds the key '${key}', which is refused everywhere`;
      const fault = inspect(item, depth + 1);
      if (fault !== null) return fault;
    }
    return null;
  }

  return inspect(document, 1) ?? inspectSize(document);
}

function inspectSize(document: unknown): string | null {
  const { byteLength } = new TextEncoder().encode(JSON.stringify(document) ?? "");
  return byteLength > MAX_DOCUMENT_BYTES
    ? `is too large: ${byteLength} bytes of JSON, at most ${MAX_DOCUMENT_BYTES}`
    : null;
}

/** Whether the value is an object such as JSON has: no class, no array. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

function isContainer(value: unknown): value is object {
  return Array.isArray(value) || isPlainObject(value);
}

function isScalar(value: unknown): boolean {
  return (
    value === null || ["string", "boolean", "undefined"].includes(typeof value) || Number.isFinite(value)
  );
}
