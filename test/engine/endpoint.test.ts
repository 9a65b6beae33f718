import { expect, test } from "vitest";
import type { Circuit } from "../../shared/engine/circuit.ts";
import { usable, withoutTried } from "../../shared/engine/endpoint.ts";
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

const OPEN: Circuit = { kind: "open", since: T, probeAt: T + 1000 };
const PROBING: Circuit = { kind: "probing", since: T, probeAt: T + 1000 };
const none = (): undefined => undefined;

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
  expect(usable(endpoints, none, panicRatio, T)).toEqual(expected);
});

test.each<[string, Circuit, now: number, ids: string[]]>([
  ["a closed circuit", { kind: "closed", failures: 4 }, T, ["a", "b"]],
  ["an open circuit", OPEN, T + 999, ["b"]],
  ["the limit itself: due for its probe", OPEN, T + 1000, ["a", "b"]],
  ["a probe is out", PROBING, T + 999, ["b"]],
  ["a lost probe", PROBING, T + 1000, ["a", "b"]],
  ["an hour idle", OPEN, T + HOUR, ["a", "b"]],
  ["a clock that steps back", OPEN, T - HOUR, ["a", "b"]],
])("%s", (_name, circuit, now, ids) => {
  const circuits = new Map([["a", circuit]]);
  expect(usable([a, b], (id) => circuits.get(id), 0.5, now).map(({ id }) => id)).toEqual(ids);
});

test("panic overrules what was told, not the circuits that this host opened itself", () => {
  const circuits = new Map([
    ["a", OPEN],
    ["b", OPEN],
  ]);
  const left = usable([a, b, sick, ejected, c], (id) => circuits.get(id), 0.5, T);
  expect(left).toEqual([sick, ejected, c]);
});

test("nothing is left when every circuit is open", () => {
  expect(usable([a, b], () => OPEN, 0.5, T)).toEqual([]);
});

test("the given list itself comes back when all may be used", () => {
  const endpoints = [a, b, c];
  expect(usable(endpoints, none, 0.5, T)).toBe(endpoints);
  expect(withoutTried(endpoints, [])).toBe(endpoints);
});

test.each([
  ["leaves out what was tried", [a, b, c, d], ["b", "d"], [a, c]],
  ["all were tried: all again", [a, b], ["a", "b"], [a, b]],
  ["the only one again", [a], ["a"], [a]],
  ["one that is gone", [a, b], ["x"], [a, b]],
])("withoutTried: %s", (_name, candidates, tried, expected) => {
  expect(withoutTried(candidates, tried)).toEqual(expected);
});
