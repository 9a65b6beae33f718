import { expect, test } from "vitest";
import { inspectShape, MAX_DEPTH, MAX_DOCUMENT_BYTES } from "../../shared/wire/shape.ts";

/** `levels` objects within each other, the innermost empty. */
function nested(levels: number): object {
  return levels === 1 ? {} : { a: nested(levels - 1) };
}

/** What ten aliases per level make of a few lines of YAML. */
function laughs(levels: number): unknown {
  const below = levels === 0 ? "lol" : laughs(levels - 1);
  return Array.from({ length: 10 }, () => below);
}

function cycle(): object {
  const value: Record<string, unknown> = {};
  value["self"] = value;
  return value;
}

/** An object whose JSON has this many bytes. */
function sized(bytes: number): object {
  return { a: "x".repeat(bytes - '{"a":""}'.length) };
}

test.each([
  ["an empty object", {}, null],
  ["null, a list and a fraction", { a: null, b: [1.5] }, null],
  ["the greatest depth", nested(MAX_DEPTH), null],
  ["one level more", nested(MAX_DEPTH + 1), "nested too deeply"],
  ["ten thousand levels", JSON.parse(`${"[".repeat(10_000)}${"]".repeat(10_000)}`), "nested too deeply"],
  ["a cycle", cycle(), "nested too deeply"],
  ["the greatest size", sized(MAX_DOCUMENT_BYTES), null],
  ["one byte more", sized(MAX_DOCUMENT_BYTES + 1), "too large: 262145 bytes"],
  ["characters of several bytes", { a: "é".repeat(MAX_DOCUMENT_BYTES / 2) }, "too large: 262152 bytes"],
  ["repeated aliases", laughs(9), "too large"],
  ["__proto__", JSON.parse('{"a": {"__proto__": {"isAdmin": true}}}'), "'__proto__'"],
  ["constructor", { a: [{ constructor: {} }] }, "'constructor'"],
  ["a date", { a: new Date(0) }, "not JSON"],
  ["not a number", { a: Number.NaN }, "not JSON"],
  ["a big number", { a: 1n }, "not JSON"],
])("%s", (_name, document, expected) => {
  const fault = inspectShape(document);
  expect(fault).toEqual(expected === null ? null : expect.stringContaining(expected));
});
