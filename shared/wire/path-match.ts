/**
 * Paths as configuration writes them, brought into the form that requests
 * have. Otherwise a policy for `/café` would never meet the request that it
 * is about (`/caf%C3%A9`), and a DENY would be silently void.
 *
 * @module
 */
import * as match from "../engine/match.ts";
import * as path from "../engine/path.ts";
import { parseTemplate, type PathTemplate } from "../engine/path-template.ts";

/** Why a path or pattern is refused. */
export const UNREACHABLE =
  "is no path that a request can have: begin with '/'; no '//', '/./', '/../', '?', '#', ';', '\\', '%2f', '%5c' or broken escapes";

/** The canonical form of a whole path; `null` when no request can have it. */
export function canonicalPath(text: string): string | null {
  return canonicalPart("", text, "");
}

/** Reads a policy's path: exact, `prefix*`, `*suffix` or `*`; `null` when it could never match. */
export function canonicalPathMatch(text: string): match.StringMatch | null {
  const parsed = match.parseStringMatch(text);
  if (parsed.kind === "present") return parsed;
  // A part is judged within a harmless whole: `/.` is a fine beginning (of `/.git`) and no fine path.
  const head = parsed.kind === "suffix" ? "/x" : "";
  const tail = parsed.kind === "prefix" ? "x" : "";
  const value = canonicalPart(head, parsed.value, tail);
  return value === null ? null : { kind: parsed.kind, value };
}

function canonicalPart(head: string, text: string, tail: string): string | null {
  // Requests may repeat slashes and then have them merged; configuration that does so means something else.
  if (/\/\/|\?/.test(text)) return null;
  const escaped = text.toWellFormed().replace(/[^!-~]+/g, encodeURIComponent);
  const result = path.canonicalize(`${head}${escaped}${tail}`);
  return result.kind === "ok" ? result.path.slice(head.length, result.path.length - tail.length) : null;
}

/** Reads a template, its literal segments in canonical form; `null` when it is none, or could never match. */
export function canonicalTemplate(text: string): PathTemplate | null {
  const template = parseTemplate(text);
  if (template === null) return null;
  const head = template.head.map((segment) => (segment === null ? null : canonicalSegment(segment)));
  const tail = template.tail === null ? null : canonicalPart("/x", template.tail, "");
  const isLost = head.some((segment, index) => segment === null && template.head[index] !== null);
  return isLost || (template.tail !== null && tail === null) ? null : { kind: "template", head, tail };
}

/** A segment is empty where a path ends in a slash. */
function canonicalSegment(segment: string): string | null {
  return segment === "" ? "" : canonicalPart("/", segment, "");
}
