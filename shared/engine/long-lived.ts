/**
 * Which messages may stay open for long, by what their headers say.
 *
 * @module
 */
import type { HeaderReader } from "./request.ts";

/** A body of at least this length takes a while on any network: 13 s at 10 Mbit/s. */
const LARGE_BYTES = 16_777_216;

/** Types of bodies that are made whole, though their length may not be told: pages, documents, pictures, forms. */
const WHOLE =
  /^(?:text\/(?!event-stream)|image\/|font\/|multipart\/form-data|application\/(?:(?:problem\+)?json|(?:xhtml\+)?xml|javascript|wasm|manifest\+json|ld\+json|x-www-form-urlencoded)(?:;|$))/i;

/**
 * Whether the body behind these headers may stay open for long: one that is
 * large, or of unknown length and of a type that is not made whole, as streams
 * of events, of gRPC or of lines. A body of such a type that is endless all
 * the same, as a watch in JSON, is told by its route: it has no time-out.
 */
export function mayStayOpen(headers: HeaderReader): boolean {
  const length = headers.get("content-length");
  if (length !== null) return Number(length) >= LARGE_BYTES;
  const type = headers.get("content-type");
  return type === null || !WHOLE.test(type);
}
