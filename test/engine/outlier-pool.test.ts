import { describe, expect, test } from "vitest";
import * as outlier from "../../shared/engine/outlier.ts";
import type { OutlierPolicy } from "../../shared/engine/outlier.ts";
import { count, noCounts, type CallEnd, type OutcomeCounts } from "../../shared/engine/outlier-counts.ts";
import * as outlierPool from "../../shared/engine/outlier-pool.ts";
import { MAX_REPORTERS } from "../../shared/engine/outlier-pool.ts";
import { oneOf, seeded } from "./random.ts";

const T = 1_700_000_000_000;
const POLICY: OutlierPolicy = {
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectedRatio: 0.1,
  consecutive5xx: 5,
  consecutiveGatewayErrors: null,
  consecutiveLocalFailures: null,
  splitsLocalFailures: false,
  successRate: null,
  failurePercentage: { threshold: 50, minEndpoints: 2, minVolume: 10 },
};
const ENDS: Readonly<Record<string, CallEnd>> = {
  ".": "answer",
  f: "server-error",
  g: "gateway-error",
  l: "local-failure",
};

function counts(endpoint: string, ends: string, policy = POLICY): OutcomeCounts {
  const counting = noCounts();
  for (const letter of ends) count(counting, ENDS[letter] ?? "answer", policy);
  return { endpoint, ...counting };
}

/** A pool of two endpoints' outcomes. */
class Pooling {
  readonly pool = outlierPool.createPool();
  readonly endpoints = ["a", "b"];
  now = T;
  #sequence = 0;
  readonly policy: OutlierPolicy;

  constructor(policy: Partial<OutlierPolicy> = {}) {
    this.policy = { ...POLICY, ...policy };
  }

  /** A report of calls to an endpoint: a letter for the end of each. */
  hear(reporter: string, ends: string, endpoint = "a"): this {
    return this.hearCounts(reporter, [counts(endpoint, ends, this.policy)]);
  }

  hearCounts(reporter: string, told: readonly OutcomeCounts[], sequence = (this.#sequence += 1)): this {
    outlierPool.fold(this.pool, this.policy, { reporter, sequence, counts: told }, this);
    return this;
  }

  pass(ms: number): this {
    this.now += ms;
    return this;
  }

  out(): string {
    return outlier
      .ejections(this.pool.tracker, this.now)
      .map(({ endpoint }) => endpoint)
      .join();
  }
}

describe("failures in a row", () => {
  test.each<[string, readonly (readonly [reporter: string, ends: string])[], string]>([
    [
      "of two hosts",
      [
        ["x", "ffff"],
        ["y", "f"],
      ],
      "a",
    ],
    [
      "of five, one each",
      [
        ["v", "f"],
        ["w", "l"],
        ["x", "g"],
        ["y", "f"],
        ["z", "f"],
      ],
      "a",
    ],
    [
      "one short",
      [
        ["x", "ff"],
        ["y", "ff"],
      ],
      "",
    ],
    [
      "of one host alone, however many",
      [
        ["x", "fffff"],
        ["x", "fffff"],
        ["x", "fffff"],
      ],
      "",
    ],
    [
      "until another has seen one",
      [
        ["x", "f".repeat(100)],
        ["y", ".f"],
        ["x", "ffff"],
      ],
      "a",
    ],
    [
      "a success of any host in between",
      [
        ["x", "ffff"],
        ["y", "."],
        ["x", "f"],
      ],
      "",
    ],
    [
      "a success takes witnesses along",
      [
        ["y", "f"],
        ["x", ".fffffff"],
      ],
      "",
    ],
    [
      "a success that came before them",
      [
        ["x", ".fff"],
        ["y", "..."],
        ["y", "ff"],
        ["x", "fff"],
      ],
      "a",
    ],
  ])("%s", (_name, reports, out) => {
    const pooling = new Pooling();
    for (const [reporter, ends] of reports) pooling.hear(reporter, ends);
    expect(pooling.out()).toBe(out);
  });

  test.each([
    [10_000, "a"],
    [10_001, ""],
  ])("begin anew after an interval without one: %i ms", (ms, out) => {
    expect(new Pooling().hear("x", "ffff").pass(ms).hear("y", "f").out()).toBe(out);
  });

  test("split, those without an answer are a row of their own", () => {
    const policy = { splitsLocalFailures: true, consecutive5xx: 3, consecutiveLocalFailures: 3 };
    expect(new Pooling(policy).hear("x", "fl").hear("y", "fl").out()).toBe("");
    expect(new Pooling(policy).hear("x", "fl").hear("y", "lf").hear("y", "f").out()).toBe("a");
    expect(new Pooling(policy).hear("x", "ll").hear("y", "l").out()).toBe("a");
  });
});

describe("rates", () => {
  const good = ".".repeat(20);

  test.each<[string, readonly (readonly [reporter: string, ends: string])[], string]>([
    [
      "of two hosts",
      [
        ["x", "fff.".repeat(3)],
        ["y", "f."],
      ],
      "a",
    ],
    [
      "of one alone",
      [
        ["x", "fff.".repeat(3)],
        ["y", "."],
      ],
      "",
    ],
    [
      "of one that failed, however often it reports",
      [
        ["x", "fff.".repeat(3)],
        ["x", "fff.".repeat(3)],
      ],
      "",
    ],
    [
      "below the threshold together",
      [
        ["x", "fff.".repeat(3)],
        ["y", "........f"],
      ],
      "",
    ],
  ])("%s", (_name, reports, out) => {
    const pooling = new Pooling().hear("z", good, "b");
    for (const [reporter, ends] of reports) pooling.hear(reporter, ends);
    expect(pooling.out()).toBe("");
    expect(pooling.pass(10_000).hear("z", ".", "b").out()).toBe(out);
  });

  test("who saw failures is asked anew in each interval", () => {
    const pooling = new Pooling().hear("y", ".f").pass(10_000);
    pooling.hear("z", good, "b").hear("x", "fff.".repeat(3)).pass(10_000);
    expect(pooling.hear("z", ".", "b").out()).toBe("");
  });
});

test("after an ejection all counts anew: it takes two again", () => {
  const pooling = new Pooling().hear("x", "ffff").hear("y", "f");
  pooling.hear("y", "ffff").pass(30_000).hear("x", "fffff");
  expect(pooling.out()).toBe("");
  expect(pooling.hear("y", "f").out()).toBe("a");
});

test("a report that comes again, or after a later one, changes nothing", () => {
  const pooling = new Pooling();
  const told = [counts("a", "ff")];
  for (const sequence of [7, 7, 6]) pooling.hearCounts("x", told, sequence);
  pooling.hearCounts("y", told, 1);
  expect(pooling.out()).toBe("");
  expect(pooling.hearCounts("x", told, 8).out()).toBe("a");
});

test("only so many hosts are remembered, those that reported last", () => {
  const pooling = new Pooling();
  for (let host = 0; host < MAX_REPORTERS; host++) pooling.hearCounts(`host-${host}`, [], 1);
  pooling.hearCounts("host-0", [], 2).hearCounts("new", [], 1);
  const known = [...pooling.pool.reporters.keys()];
  expect([known.length, known.at(0), known.at(-2), known.at(-1)]).toEqual([
    MAX_REPORTERS,
    "host-2",
    "host-0",
    "new",
  ]);
});

const SOUND = counts("a", "ffff");

test.each<[string, OutcomeCounts]>([
  ["of another endpoint", { ...SOUND, endpoint: "c" }],
  ["with more failures than calls", { ...SOUND, calls: 3 }],
  ["with more in a row than calls", { ...SOUND, inARow: { ...SOUND.inARow, serverErrors: 5 } }],
  ["with more gateway errors than errors", { ...SOUND, gatewayErrors: 5 }],
  ["that are negative", { ...SOUND, calls: 4, localFailures: -1 }],
  ["that are no numbers", { ...SOUND, serverErrors: Number.NaN }],
  ["that nobody can have made", { ...SOUND, calls: 1e9 }],
])("counts %s are left out", (_name, told) => {
  const pooling = new Pooling().hearCounts("x", [told]).hear("y", "f");
  expect(pooling.out()).toBe("");
  expect(pooling.hear("x", "ffff").out()).toBe("a");
});

test("an endpoint that goes is forgotten", () => {
  const pooling = new Pooling().hear("x", "ffff");
  outlierPool.retain(pooling.pool, new Set(["b"]));
  expect(pooling.hear("y", "f").out()).toBe("");
  expect([...pooling.pool.tracker.tracks.keys(), ...pooling.pool.evidence.keys()]).toEqual(["a", "a"]);
});

test("one host that lies ejects nothing while the others see successes, or nothing", () => {
  const random = seeded(9);
  const lies = ["f".repeat(100), "ffffff", ".ffffff", "l".repeat(20), "fff.".repeat(50)];
  for (let round = 0; round < 300; round++) {
    const pooling = new Pooling();
    for (let report = 0; report < 30; report++) {
      pooling.pass(Math.floor(random() * 4_000)).hear("liar", oneOf(random, lies), oneOf(random, ["a", "b"]));
      if (random() < 0.5) pooling.hear("honest", ".".repeat(20), oneOf(random, ["a", "b"]));
    }
    expect(pooling.out()).toBe("");
  }
});

test("pools as one host would that made all the calls, once two have seen failures", () => {
  const random = seeded(21);
  let ejections = 0;
  for (let round = 0; round < 500; round++) {
    const pooling = new Pooling({ failurePercentage: null });
    const alone = outlier.createTracker();
    const witnesses = new Set<string>();
    for (let report = 0; report < 20; report++) {
      const reporter = oneOf(random, ["x", "y", "z"]);
      const ends = Array.from({ length: 1 + Math.floor(random() * 3) }, () => (random() < 0.75 ? "f" : "."));
      for (const letter of ends) {
        if (letter === ".") witnesses.clear();
        else witnesses.add(reporter);
      }
      const policy = { ...pooling.policy, consecutive5xx: null };
      const scene = { now: T, endpoints: [{ id: "a" }, { id: "b" }] };
      for (const letter of ends)
        outlier.record(alone, policy, { endpoint: "a", end: ENDS[letter] ?? "answer" }, scene);
      pooling.hear(reporter, ends.join(""));
      const inARow = alone.tracks.get("a")?.counting.inARow.serverErrors ?? 0;
      const isDue = inARow >= 5 && witnesses.size >= 2;
      expect(pooling.out()).toBe(isDue ? "a" : "");
      if (!isDue) continue;
      ejections += 1;
      break;
    }
  }
  expect(ejections).toBeGreaterThan(200);
});
