import { expect, test } from "vitest";
import type { InboundPolicy } from "../../shared/engine/snapshot.ts";
import * as recorder from "../../shared/forward/recorder.ts";
import type { RecordedCall } from "../../shared/wire/recorded-call.ts";
import { seeded } from "../engine/random.ts";
import { PERMISSIVE } from "../fakes/units.ts";

const NOW = 1_000_000;

function recorded(path: string, unit = "service:shop/reviews"): RecordedCall {
  const rest = { endpoint: "a", caller: null, host: "reviews", port: 80, method: "GET", headers: {} };
  return { unit, path, ...rest };
}

/** Counts a call, and keeps it if it is a candidate; tells whether it was looked at. */
function see(
  own: recorder.Recorder,
  path: string,
  { policy = PERMISSIVE, isAdmitted = true, random = seeded(1) } = {},
): boolean {
  const sample = recorder.due(own, policy, isAdmitted, random);
  if (sample === null) return false;
  recorder.keep(sample, path, { random, make: () => ({ call: recorded(path), isAdmitted }) });
  return true;
}

test("calls that are alike are one, with their number", () => {
  const own = recorder.createRecorder();
  for (const path of ["/a", "/b", "/a"]) see(own, path);
  see(own, "/a", { isAdmitted: false });

  expect(recorder.cut(own, NOW)).toEqual([
    { call: recorded("/a"), isAdmitted: false, calls: 1 },
    { call: recorded("/a"), isAdmitted: true, calls: 2 },
    { call: recorded("/b"), isAdmitted: true, calls: 1 },
  ]);
});

test.each([
  ["at once at first", 0, NOW, 1],
  ["not before ten seconds", NOW - 9_999, NOW, 0],
  ["after ten seconds", NOW - 10_000, NOW, 1],
  ["when the clock has stepped back", NOW + 1, NOW, 1],
])("goes out %s", (_name, cutAt, now, expected) => {
  const own = { ...recorder.createRecorder(), cutAt };
  see(own, "/a");

  expect(recorder.cut(own, now)).toHaveLength(expected);
  expect(recorder.cut(own, now)).toEqual([]);
});

test("a flood of denied calls takes no place of those admitted", () => {
  const own = recorder.createRecorder();
  const random = seeded(3);
  for (let n = 0; n < 10_000; n++) see(own, `/flood/${n}`, { isAdmitted: false, random });
  see(own, "/a");

  const calls = recorder.cut(own, NOW);
  expect([calls.length, calls.filter(({ isAdmitted }) => isAdmitted).length]).toEqual([11, 1]);
});

test("every call has the same chance, and few are looked at", () => {
  const random = seeded(5);
  const tenths = Array.from({ length: 10 }, () => 0);
  let looks = 0;
  for (let round = 0; round < 200; round++) {
    const own = recorder.createRecorder();
    for (let n = 0; n < 1_000; n++) if (see(own, String(n), { random })) looks += 1;
    for (const { call } of recorder.cut(own, NOW)) {
      const tenth = Math.floor(Number(call.path) / 100);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
  }
  // 2,000 picks, 200 in each tenth; their standard deviation is 13.
  expect(tenths.filter((count) => count < 140 || count > 260)).toEqual([]);
  // 10 and then 10 / n for the n-th: 10 + 10 ln(100) = 56.
  expect(looks / 200).toBeGreaterThan(40);
  expect(looks / 200).toBeLessThan(70);
});

test("a report has a hundred calls at most, of every workload some", () => {
  const own = recorder.createRecorder();
  const policies = Array.from({ length: 30 }, (): InboundPolicy => ({ ...PERMISSIVE }));
  for (const [index, policy] of policies.entries())
    for (let n = 0; n < 10; n++) see(own, `/${index}/${n}`, { policy });

  const calls = recorder.cut(own, NOW);
  const workloads = new Set(calls.map(({ call }) => call.path.split("/")[1]));
  expect([calls.length, workloads.size]).toEqual([100, 30]);
});

test("beyond two hundred workloads further ones wait for the next report", () => {
  const own = recorder.createRecorder();
  const policies = Array.from({ length: 201 }, (): InboundPolicy => ({ ...PERMISSIVE }));
  expect(policies.filter((policy) => see(own, "/a", { policy })).length).toBe(200);
  recorder.cut(own, NOW);
  expect(policies.slice(200).filter((policy) => see(own, "/a", { policy })).length).toBe(1);
});

test("what cannot be recorded takes no place", () => {
  const own = recorder.createRecorder();
  const random = seeded(1);
  const sample = recorder.due(own, PERMISSIVE, true, random);
  expect(sample !== null && recorder.keep(sample, "x", { random, make: () => null })).toBe(false);
  expect(recorder.cut(own, NOW)).toEqual([]);
});
