import { expect, test } from "vitest";
import * as trace from "../../shared/engine/trace.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const SAMPLED: trace.TraceContext = { traceId: TRACE, spanId: SPAN, isSampled: true };
const UNSAMPLED: trace.TraceContext = { ...SAMPLED, isSampled: false };

test.each<[string, string | null, trace.TraceContext | null]>([
  ["sampled", `00-${TRACE}-${SPAN}-01`, SAMPLED],
  ["not sampled", `00-${TRACE}-${SPAN}-00`, UNSAMPLED],
  ["unknown flags beside sampled", `00-${TRACE}-${SPAN}-ff`, SAMPLED],
  ["unknown flags without sampled", `00-${TRACE}-${SPAN}-fe`, UNSAMPLED],
  ["a later version", `01-${TRACE}-${SPAN}-01`, SAMPLED],
  ["a later version with more", `cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, SAMPLED],
  ["a later version with a dash and no more", `cc-${TRACE}-${SPAN}-01-`, SAMPLED],
  ["a later version with more, not set apart", `cc-${TRACE}-${SPAN}-01.what`, null],
  ["version 00 with more", `00-${TRACE}-${SPAN}-01-more`, null],
  ["version 00 with a dash and no more", `00-${TRACE}-${SPAN}-01-`, null],
  ["version ff", `ff-${TRACE}-${SPAN}-01`, null],
  ["a trace of zeros", `00-${"0".repeat(32)}-${SPAN}-01`, null],
  ["a span of zeros", `00-${TRACE}-${"0".repeat(16)}-01`, null],
  ["upper case", `00-${TRACE.toUpperCase()}-${SPAN}-01`, null],
  ["upper case version", `CC-${TRACE}-${SPAN}-01`, null],
  ["a short trace", `00-${TRACE.slice(1)}-${SPAN}-01`, null],
  ["a long span", `00-${TRACE}-${SPAN}0-01`, null],
  ["a letter that is no digit", `00-${TRACE.replace("4", "g")}-${SPAN}-01`, null],
  ["short flags", `00-${TRACE}-${SPAN}-1`, null],
  ["no flags", `00-${TRACE}-${SPAN}`, null],
  ["two headers joined", `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`, null],
  ["a line break after it", `00-${TRACE}-${SPAN}-01\n`, null],
  ["empty", "", null],
  ["absent", null, null],
])("%s", (_name, text, expected) => {
  expect(trace.parseTraceparent(text)).toEqual(expected);
});

const randomHex = (bytes: number): string => "ab".repeat(bytes);

test.each<[string, trace.TraceContext | null, trace.TraceContext]>([
  ["a sampled parent", SAMPLED, { traceId: TRACE, spanId: "ab".repeat(8), isSampled: true }],
  ["a parent that is not sampled", UNSAMPLED, { traceId: TRACE, spanId: "ab".repeat(8), isSampled: false }],
  ["no parent", null, { traceId: "ab".repeat(16), spanId: "ab".repeat(8), isSampled: false }],
])("childOf: %s", (_name, parent, expected) => {
  const child = trace.childOf(parent, randomHex);
  expect(child).toEqual(expected);
  expect(trace.parseTraceparent(trace.formatTraceparent(child))).toEqual(expected);
});

test("what is written is version 00", () => {
  expect(trace.formatTraceparent(SAMPLED)).toBe(`00-${TRACE}-${SPAN}-01`);
  expect(trace.formatTraceparent(UNSAMPLED)).toBe(`00-${TRACE}-${SPAN}-00`);
});
