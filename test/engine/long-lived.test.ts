import { expect, test } from "vitest";
import { mayStayOpen } from "../../shared/engine/long-lived.ts";

test.each<[string, boolean]>([
  ["text/event-stream", true],
  ["text/event-stream; charset=utf-8", true],
  ["Text/Event-Stream", true],
  ["application/grpc", true],
  ["application/grpc+proto", true],
  ["application/grpc-web", true],
  ["application/x-ndjson", true],
  ["application/jsonl", true],
  ["application/json-seq", true],
  ["application/stream+json", true],
  ["multipart/x-mixed-replace; boundary=frame", true],
  ["multipart/form-data; boundary=x", false],
  ["application/octet-stream", true],
  ["video/mp4", true],
  ["text/html", false],
  ["text/plain;charset=UTF-8", false],
  ["application/json", false],
  ["application/json; charset=utf-8", false],
  ["application/problem+json", false],
  ["application/xml", false],
  ["application/javascript", false],
  ["application/x-www-form-urlencoded", false],
  ["image/svg+xml", false],
  ["font/woff2", false],
])("a body of unknown length and type %s may stay open: %s", (type, expected) => {
  expect(mayStayOpen(new Headers({ "content-type": type }))).toBe(expected);
});

test.each<[string, string | null, boolean]>([
  ["0", null, false],
  ["1000", "application/grpc", false],
  ["16777215", "application/octet-stream", false],
  ["16777216", "application/octet-stream", true],
  ["16777216", "text/html", true],
  ["many", "video/mp4", false],
])("a body of length %s and type %s may stay open: %s", (length, type, expected) => {
  const fields: Record<string, string> = { "content-length": length };
  if (type !== null) fields["content-type"] = type;
  expect(mayStayOpen(new Headers(fields))).toBe(expected);
});

test("a body of which nothing is told may stay open", () => {
  expect(mayStayOpen(new Headers())).toBe(true);
});
