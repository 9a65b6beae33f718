import { expect, test } from "vitest";
import type { Circuit } from "../../shared/engine/circuit.ts";
import { usable, withoutTried, type Endpoint, type Findings } from "../../shared/engine/endpoint.ts";
import { endpoint } from "./endpoints.ts";

const T = 1_700_000_000_000;
const HOUR = 3_600_000;

const a = endpoint("a");
const b = endpoint("b");
const c = endpoint("c");
const d = endpoint("d");
const sick = endpoint("sick", { health: "unhealthy" });
const ejected = endpoint("ejected", { isEjected: true });
const leaving = endpoint("leaving", { health: "draining" });

const OPEN: Circuit = { kind: "open", since: T, probeAt: T + 1000, openMs: 1000 };
const PROBING: Circuit = { kind: "probing", since: T, probeAt: T + 1000, openMs: 1000 };
const STEERING: Findings = { circuitOf: () => undefined, rejects: false };

test.each([
  ["none at all", [], 0.5, []],
  ["health, ejection and draining take out", [a, sick, b, ejected, leaving, c], 0.5, [a, b, c]],
  ["the limit itself: half are left, no panic", [a, sick], 0.5, [a]],
  ["less than half: all but draining", [sick, a, ejected, leaving], 0.5, [sick, a, ejected]],
  ["draining ones are no sign of trouble", [a, sick, leaving, leaving], 0.5, [a]],
  ["all draining: nothing, even in panic", [leaving], 1, []],
  ["no panic at a ratio of 0", [sick, ejected], 0, []],
  ["panic at the least loss with a ratio of 1", [a, b, sick], 1, [a, b, sick]],
])("%s", (_name, endpoints, panicRatio, expected) => {
  expect(usable(endpoints, STEERING, panicRatio, T)).toEqual(expected);
});

test.each<[string, Circuit, now: number, ids: string[]]>([
  ["a closed circuit", { kind: "closed", failures: 4 }, T, ["a", "b"]],
  ["an open circuit", OPEN, T + 999, ["b"]],
  ["the limit itself: due for its probe", OPEN, T + 1000, ["a", "b"]],
  ["a probe is out", PROBING, T + 999, ["b"]],
  ["a lost probe", PROBING, T + 1000, ["a", "b"]],
  ["an hour idle", OPEN, T + HOUR, ["a", "b"]],
  ["a clock that steps back", OPEN, T - HOUR, ["a", "b"]],
])("%s, whether it rejects or steers", (_name, circuit, now, ids) => {
  const circuits = new Map([["a", circuit]]);
  const idsWith = (rejects: boolean): string[] =>
    usable([a, b], { circuitOf: (id) => circuits.get(id), rejects }, 0.5, now).map(({ id }) => id);
  expect([idsWith(true), idsWith(false)]).toEqual([ids, ids]);
});

const OTHERS: Partial<Findings> = { circuitOf: (id) => (id === "b" ? undefined : OPEN) };
const outUntil = (until: number): Endpoint => endpoint("a", { ejectedUntil: until });

test.each<[string, readonly Endpoint[], Partial<Findings> & { readonly now: number }, ids: string]>([
  ["out for all hosts, until its time is over", [outUntil(T), b], { now: T - 1 }, "b"],
  ["and not a millisecond longer", [outUntil(T), b], { now: T }, "a b"],
  ["out by the host's own detection", [a, b], { isOut: (id) => id === "a", now: T }, "b"],
  ["both count for panic", [outUntil(T + 1), b, c], { isOut: (id) => id === "b", now: T }, "a b c"],
  ["ejected, and the host has no circuit", [ejected, b], { now: T }, "b"],
  ["ejected, and its circuit is open", [ejected, b], { ...OTHERS, now: T + 999 }, "b"],
  ["ejected, and its circuit is due", [ejected, b], { ...OTHERS, now: T + 1000 }, "ejected b"],
  ["an outlier comes back by time alone", [outUntil(T + 9000), b], { ...OTHERS, now: T + 1000 }, "b"],
])("%s", (_name, endpoints, { now, ...findings }, ids) => {
  const usableIds = usable(endpoints, { ...STEERING, ...findings }, 0.5, now).map(({ id }) => id);
  expect(usableIds.join(" ")).toBe(ids);
});

/** All endpoints with these ids have an open circuit. */
const open = (rejects: boolean, ...ids: string[]): Findings => ({
  circuitOf: (id) => (ids.includes(id) ? OPEN : undefined),
  rejects,
});

test.each([
  ["panic overrules what was told, not circuits that reject", open(true, "a", "b"), 0.5, [sick, ejected, c]],
  ["panic overrules circuits that steer", open(false, "a", "b"), 0.5, [a, b, sick, ejected, c]],
  ["enough are left: steered away", open(false, "a", "b"), 0.2, [c]],
  ["nothing is left of what may be used, without panic", open(true, "a", "b", "c"), 0, []],
  ["nothing would be left: no steering, but what was told holds", open(false, "a", "b", "c"), 0, [a, b, c]],
])("%s", (_name, circuits, panicRatio, expected) => {
  expect(usable([a, b, sick, ejected, c], circuits, panicRatio, T)).toEqual(expected);
});

test.each([0, 0.5, 1])(
  "a lone endpoint is never shut out unless circuits reject, at a ratio of %d",
  (ratio) => {
    expect(usable([a], open(false, "a"), ratio, T)).toEqual([a]);
    expect(usable([a], open(true, "a"), ratio, T)).toEqual([]);
  },
);

test("the given list itself comes back when all may be used", () => {
  const endpoints = [a, b, c];
  expect(usable(endpoints, STEERING, 0.5, T)).toBe(endpoints);
  expect(withoutTried(endpoints, [])).toBe(endpoints);
});

test.each([
  ["leaves out what was tried", [a, b, c, d], [b, d], [a, c]],
  ["all were tried: all again", [a, b], [a, b], [a, b]],
  ["the only one again", [a], [a], [a]],
  ["one that is gone", [a, b], [c], [a, b]],
])("withoutTried: %s", (_name, candidates, tried, expected) => {
  expect(withoutTried(candidates, tried)).toEqual(expected);
});
