import { describe, expect, test } from "vitest";
import * as circuitEvidence from "../../durable-objects/circuit-evidence.ts";
import { NO_EVIDENCE, type Evidence, type OpenMark } from "../../durable-objects/circuit-evidence.ts";

const NOW = 1_000_000;

function mark(reporter: string, age = 0): OpenMark {
  return { reporter, at: NOW - age };
}

function evidence(open: readonly OpenMark[], isEjected = false, probe: Evidence["probe"] = null): Evidence {
  return { open, isEjected, probe };
}

const open = (reporter: string) => ({ reporter, state: "open" as const });
const closed = (reporter: string) => ({ reporter, state: "closed" as const });
const probe = { reporter: "p", until: NOW + 5000 };

describe("fold", () => {
  test.each([
    ["one open circuit ejects nothing", NO_EVIDENCE, open("a"), evidence([mark("a")])],
    ["two eject", evidence([mark("a", 5)]), open("b"), evidence([mark("a", 5), mark("b")], true)],
    ["the same one twice counts once", evidence([mark("a", 5)]), open("a"), evidence([mark("a")])],
    [
      "two within a minute",
      evidence([mark("a", 59_999)]),
      open("b"),
      evidence([mark("a", 59_999), mark("b")], true),
    ],
    ["not after a minute", evidence([mark("a", 60_000)]), open("b"), evidence([mark("b")])],
    [
      "a third joins an ejection",
      evidence([mark("a", 9), mark("b", 5)], true),
      open("c"),
      evidence([mark("b", 5), mark("c")], true),
    ],
    [
      "an ejection outlives one of its reports",
      evidence([mark("a", 60_000), mark("b", 5)], true),
      open("b"),
      evidence([mark("b")], true),
    ],
    [
      "one answer brings an ejected endpoint back",
      evidence([mark("a"), mark("b")], true, probe),
      closed("c"),
      NO_EVIDENCE,
    ],
    ["a closed circuit takes back its own report", evidence([mark("a")]), closed("a"), NO_EVIDENCE],
    ["a closed circuit leaves another's report", evidence([mark("a")]), closed("b"), evidence([mark("a")])],
    ["a closed circuit of an unknown endpoint", NO_EVIDENCE, closed("a"), NO_EVIDENCE],
    [
      "a probe stays with who holds it",
      evidence([mark("a")], false, probe),
      open("b"),
      evidence([mark("a"), mark("b")], true, probe),
    ],
    [
      "after an hour idle all begins anew",
      evidence([mark("a", 3_600_000), mark("b", 3_600_000)], true, { ...probe, until: NOW - 3_595_000 }),
      open("c"),
      evidence([mark("c")]),
    ],
    [
      "after a clock that stepped back an hour too",
      evidence([mark("a", -3_600_000), mark("b", -3_600_000)], true, { ...probe, until: NOW + 3_600_000 }),
      open("c"),
      evidence([mark("c")]),
    ],
  ])("%s", (_name, before, report, after) => {
    expect(circuitEvidence.fold(before, report, NOW)).toEqual(after);
  });

  test.each([
    ["a minute at least", 10_000, undefined],
    ["twice as long as it is open", 40_000, 80_000],
    ["ten minutes at most", 1e9, 600_000],
  ])("a report counts for %s", (_name, openForMs, lifeMs) => {
    const { open: marks } = circuitEvidence.fold(NO_EVIDENCE, { ...open("a"), openForMs }, NOW);
    expect(marks).toEqual([{ reporter: "a", at: NOW, lifeMs }]);
    const last = NOW + (lifeMs ?? 60_000) - 1;
    const left = [last, last + 1].map((now) => circuitEvidence.expire(evidence(marks), now).open.length);
    expect(left).toEqual([1, 0]);
  });

  test("whoever holds the probe gives it back with an answer; another's answer leaves it", () => {
    const held = evidence([mark("b")], false, { reporter: "a", until: NOW + 5000 });
    expect(circuitEvidence.fold(held, closed("a"), NOW)).toEqual(evidence([mark("b")]));
    expect(circuitEvidence.fold(held, closed("c"), NOW)).toEqual(held);
  });
});

describe("claim", () => {
  const mine = { reporter: "a", until: NOW + 5000 };
  test.each([
    ["a free probe is granted for 5 s", NO_EVIDENCE, true, mine],
    [
      "asking again grants no longer lease",
      evidence([], false, { ...mine, until: NOW + 1 }),
      true,
      { ...mine, until: NOW + 1 },
    ],
    ["another's is not granted", evidence([], false, probe), false, probe],
    [
      "another's in its last millisecond",
      evidence([], false, { ...probe, until: NOW + 1 }),
      false,
      { ...probe, until: NOW + 1 },
    ],
    ["a lapsed one is granted", evidence([], false, { ...probe, until: NOW }), true, mine],
    [
      "one from before the clock stepped back",
      evidence([], false, { ...probe, until: NOW + 300_001 }),
      true,
      mine,
    ],
  ])("%s", (_name, before, isGranted, probe) => {
    const answer = circuitEvidence.claim(before, { reporter: "a" }, NOW);
    expect(answer).toEqual({ isGranted, evidence: { ...before, probe } });
  });

  test.each([
    ["as long as was asked", 20_000, 20_000],
    ["the most", 1e9, 300_000],
    ["the least", 0, 100],
    ["the least for what is no time", Number.NaN, 100],
  ])("a lease is %s", (_name, forMs, lasts) => {
    const { evidence: held } = circuitEvidence.claim(NO_EVIDENCE, { reporter: "a", forMs }, NOW);
    expect(held.probe).toEqual({ reporter: "a", until: NOW + lasts });
  });
});

test.each([
  ["nothing", NO_EVIDENCE, 0],
  ["a report", evidence([mark("a", 10)]), NOW + 59_990],
  ["the newer of two", evidence([mark("a", 10), mark("b", 3)]), NOW + 59_997],
  ["a probe", evidence([], false, probe), NOW + 5000],
  ["a report that outlasts the probe", evidence([mark("a")], false, probe), NOW + 60_000],
])("%s expires, and not a millisecond earlier", (_name, before, at) => {
  expect(circuitEvidence.expiresAt(before)).toBe(at);
  const left = [at - 1, at].map((now) => circuitEvidence.isEmpty(circuitEvidence.expire(before, now)));
  expect(left).toEqual([circuitEvidence.isEmpty(before), true]);
});

/** Keeps every report ever made, and looks at all of them each time. */
function slowly(reports: readonly { reporter: string; state: "open" | "closed"; at: number }[]): boolean {
  let isEjected = false;
  let since = 0;
  for (const [index, { reporter, state, at }] of reports.entries()) {
    const live = reports.slice(since, index).filter((each) => at - each.at < 60_000);
    const latest = new Map(live.map((each) => [each.reporter, each.state]));
    const isHeld = [...latest.values()].includes("open");
    if (!isHeld) isEjected = false;
    if (state === "closed" && isEjected) {
      isEjected = false;
      since = index + 1;
    }
    latest.set(reporter, state);
    const holders = [...latest.values()].filter((each) => each === "open").length;
    if (state === "open" && holders >= 2) isEjected = true;
  }
  return isEjected;
}

test("remembering two reports decides as remembering all would", () => {
  let seed = 7;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  let ejections = 0;
  for (let run = 0; run < 2000; run += 1) {
    let at = NOW;
    let known = NO_EVIDENCE;
    const reports = Array.from({ length: 1 + Math.floor(random() * 12) }, () => {
      at += Math.floor(random() * 30_000);
      const state = random() < 0.75 ? ("open" as const) : ("closed" as const);
      return { reporter: `r${Math.floor(random() * 5)}`, state, at };
    });
    for (const report of reports) known = circuitEvidence.fold(known, report, report.at);
    expect(known.isEjected, JSON.stringify(reports)).toBe(slowly(reports));
    ejections += Number(known.isEjected);
  }
  expect(ejections).toBeGreaterThan(300);
  expect(ejections).toBeLessThan(1700);
});
