import { describe, expect, test } from "vitest";
import {
  healthOf,
  isExpected,
  NEW,
  pauseMs,
  reaches,
  record,
  verdictOf,
  type HealthCheck,
  type Probe,
  type Standing,
} from "../../shared/engine/health-check.ts";
import { seeded } from "./random.ts";

const NOW = 1_000_000;

function check(overrides: Partial<HealthCheck> = {}): HealthCheck {
  return {
    probe: { kind: "http", path: "/", host: null, statuses: [{ first: 200, last: 299 }] },
    intervalMs: 10_000,
    jitterMs: 1_000,
    timeoutMs: 1_000,
    healthyThreshold: 2,
    unhealthyThreshold: 3,
    initial: "healthy",
    ...overrides,
  };
}

/** The health after each answer: `+` is a success, `-` a failure, `H` and `u` are healthy and unhealthy. */
function run(answers: string, policy: HealthCheck): string {
  let standing: Standing = NEW;
  return [...answers]
    .map((answer, index) => {
      standing = record(standing, policy, answer === "+", NOW + index);
      const verdict = verdictOf(standing, policy) ?? undefined;
      return healthOf("healthy", policy, verdict) === "healthy" ? "H" : "u";
    })
    .join("");
}

describe("thresholds", () => {
  test.each([
    ["all is well", "++++", "HHHH"],
    ["two failures are not three", "+--+--+--", "HHHHHHHHH"],
    ["three in a row are, and two successes bring it back", "+---++", "HHHuuH"],
    ["one success does not, however often", "---+-+-+-", "HHuuuuuuu"],
    ["flapping changes nothing, from either side", "+-+-+---+-+-", "HHHHHHHuuuuu"],
    ["a new endpoint that never answers", "---", "HHu"],
    ["after a return failures count from the beginning", "---++--+---", "HHuuHHHHHHu"],
  ])("%s", (_name, answers, expected) => {
    expect(run(answers, check())).toBe(expected);
  });

  test.each([
    ["the first success is enough", "+", "H"],
    ["also after failures: nothing was known against it", "-+", "uH"],
    ["from then on it takes two", "+---+-++", "HHHuuuuH"],
    ["three failures are a verdict even before any success", "---+", "uuuu"],
  ])("initially unhealthy: %s", (_name, answers, expected) => {
    expect(run(answers, check({ initial: "unhealthy" }))).toBe(expected);
  });

  test("thresholds of one follow every answer", () => {
    expect(run("+-+--++", check({ healthyThreshold: 1, unhealthyThreshold: 1 }))).toBe("HuHuuHH");
  });
});

/** The slow and obvious version: looks at the whole history after each answer. */
function obvious(answers: string, policy: HealthCheck): string {
  let isHealthy: boolean | null = null;
  return [...answers]
    .map((_, index) => {
      const past = answers.slice(0, index + 1);
      const bad = "-".repeat(policy.unhealthyThreshold);
      const good = "+".repeat(policy.healthyThreshold);
      if (past.endsWith(bad)) isHealthy = false;
      else if (past.endsWith("+") && (isHealthy === null || past.slice(streakFrom(past)).endsWith(good))) {
        isHealthy = true;
      }
      return (isHealthy ?? policy.initial === "healthy") ? "H" : "u";
    })
    .join("");
}

/** Where the run of equal answers at the end begins. */
function streakFrom(past: string): number {
  return past.length - (/(\++|-+)$/.exec(past)?.[0].length ?? 0);
}

test.each([1, 2, 3])("random answers are judged as by their whole history (seed %i)", (seed) => {
  const random = seeded(seed);
  for (let round = 0; round < 200; round += 1) {
    const policy = check({
      healthyThreshold: 1 + Math.floor(random() * 4),
      unhealthyThreshold: 1 + Math.floor(random() * 4),
      initial: random() < 0.5 ? "healthy" : "unhealthy",
    });
    const answers = Array.from({ length: 40 }, () => (random() < 0.5 ? "+" : "-")).join("");
    expect([answers, run(answers, policy)]).toEqual([answers, obvious(answers, policy)]);
  }
});

describe("what is published", () => {
  const back: Standing = { kind: "healthy", failures: 0, since: NOW };
  const always: Standing = { kind: "healthy", failures: 1, since: null };
  const ill: Standing = { kind: "unhealthy", successes: 1 };

  test.each<[string, Standing, HealthCheck["initial"], unknown]>([
    ["nothing of a new one", NEW, "healthy", null],
    ["nothing of what was never gone", always, "healthy", null],
    ["health where the initial state is another", always, "unhealthy", { health: "healthy" }],
    ["since when it is back", back, "healthy", { health: "healthy", since: NOW }],
    ["that it is ill", ill, "healthy", { health: "unhealthy" }],
    ["that it is ill, even where that is the initial state", ill, "unhealthy", { health: "unhealthy" }],
  ])("%s", (_name, standing, initial, expected) => {
    expect(verdictOf(standing, check({ initial }))).toEqual(expected);
  });

  test("a return is dated, and further successes keep the date", () => {
    const policy = check({ healthyThreshold: 1 });
    const returned = record({ kind: "unhealthy", successes: 0 }, policy, true, NOW);
    expect(returned).toEqual({ kind: "healthy", failures: 0, since: NOW });
    expect(record(returned, policy, true, NOW + 3_600_000)).toBe(returned);
    expect(record(record(returned, policy, false, NOW + 1), policy, true, NOW + 2)).toEqual(returned);
  });

  test("what stays as it is, is the same object: nothing needs to be written", () => {
    expect(record(always, check(), true, NOW)).not.toBe(always);
    const ill: Standing = { kind: "unhealthy", successes: 0 };
    expect(record(ill, check(), false, NOW)).toBe(ill);
  });
});

test.each([
  ["draining", "healthy", "draining"],
  ["unhealthy", "healthy", "unhealthy"],
  ["healthy", "unhealthy", "unhealthy"],
  ["healthy", "healthy", "healthy"],
] as const)("an endpoint that says %s and is found %s is %s", (own, found, expected) => {
  expect(healthOf(own, check(), { health: found })).toBe(expected);
  expect(healthOf(own, null, { health: found })).toBe(own);
});

test("without a verdict the initial state holds", () => {
  expect(healthOf("healthy", check({ initial: "unhealthy" }), undefined)).toBe("unhealthy");
  expect(healthOf("healthy", check(), undefined)).toBe("healthy");
});

test.each([
  [199, false],
  [200, true],
  [299, true],
  [300, false],
  [302, false],
  [399, false],
  [404, false],
  [418, true],
  [500, false],
])("of 200-299, 418 and all redirects status %i is expected: %s", (status, expected) => {
  const ranges = [
    { first: 200, last: 299 },
    { first: 300, last: 399 },
    { first: 418, last: 418 },
  ];
  expect(isExpected(status, ranges)).toBe(expected);
});

test.each<[Probe]>([[{ kind: "tcp" }], [{ kind: "grpc", service: "" }]])(
  "only origins have a port to connect to: %o",
  (probe) => {
    const connecting = check({ probe });
    expect(reaches(connecting, { kind: "origin", url: "https://a.example" })).toBe(true);
    expect(reaches(connecting, { kind: "binding", name: "A" })).toBe(false);
    expect(reaches(connecting, { kind: "dispatch", name: "a" })).toBe(false);
    expect(reaches(check(), { kind: "binding", name: "A" })).toBe(true);
  },
);

test.each([
  [0, 10_000],
  [0.5, 10_500],
  [0.9999, 10_999],
])("by %d of its jitter a pause is %i ms", (random, expected) => {
  expect(pauseMs(check(), random)).toBe(expected);
});
