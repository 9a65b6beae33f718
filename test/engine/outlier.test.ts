import { describe, expect, test } from "vitest";
import * as outlier from "../../shared/engine/outlier.ts";
import type { Ejection, OutlierPolicy } from "../../shared/engine/outlier.ts";
import type { CallEnd } from "../../shared/engine/outlier-counts.ts";
import { oneOf, seeded } from "./random.ts";

const T = 1_700_000_000_000;
const OFF: OutlierPolicy = {
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectedRatio: 0.1,
  consecutive5xx: null,
  consecutiveGatewayErrors: null,
  consecutiveLocalFailures: null,
  splitsLocalFailures: false,
  successRate: null,
  failurePercentage: null,
};
const ENDS: Readonly<Record<string, CallEnd>> = {
  ".": "answer",
  "5": "server-error",
  g: "gateway-error",
  l: "local-failure",
};

const named = (count: number) => Array.from({ length: count }, (_, index) => ({ id: `e${index}` }));

/** One observer of ten endpoints. */
class Observer {
  readonly tracker = outlier.createTracker();
  readonly seen: string[] = [];
  now = T;
  readonly policy: OutlierPolicy;
  readonly endpoints: outlier.Scene["endpoints"];

  constructor(policy: Partial<OutlierPolicy>, endpoints: outlier.Scene["endpoints"] = named(10)) {
    this.policy = { ...OFF, ...policy };
    this.endpoints = endpoints;
  }

  /** Makes calls to an endpoint: a letter for the end of each. */
  call(endpoint: string, ends: string): this {
    for (const letter of ends) {
      const end = ENDS[letter] ?? "answer";
      this.#note(outlier.record(this.tracker, this.policy, { endpoint, end }, this));
    }
    return this;
  }

  pass(ms: number): this {
    this.now += ms;
    return this;
  }

  out(): string {
    const { tracker, now } = this;
    return outlier
      .ejections(tracker, now)
      .map(({ endpoint }) => endpoint)
      .join();
  }

  #note(ejections: readonly Ejection[]): void {
    for (const { endpoint, until } of ejections)
      this.seen.push(`${endpoint} for ${(until - this.now) / 1000}`);
  }
}

describe("failures in a row", () => {
  test.each<[string, Partial<OutlierPolicy>, string, string]>([
    ["the limit itself", { consecutive5xx: 5 }, "55555", "e0"],
    ["one below it", { consecutive5xx: 5 }, "5555", ""],
    ["an answer in between", { consecutive5xx: 5 }, "5555.5", ""],
    ["gateway errors are 5xx", { consecutive5xx: 5 }, "5g5g5", "e0"],
    ["calls without an answer count as 5xx", { consecutive5xx: 5 }, "l5l5l", "e0"],
    ["off", {}, "5gl5gl5gl5gl", ""],
    ["gateway errors", { consecutiveGatewayErrors: 3 }, "ggg", "e0"],
    ["a 500 in between", { consecutiveGatewayErrors: 3 }, "gg5g", ""],
    ["calls without an answer count as gateway errors", { consecutiveGatewayErrors: 3 }, "lgl", "e0"],
    ["not split, local failures are not looked at", { consecutiveLocalFailures: 3 }, "llll", ""],
    ["split, they are", { consecutiveLocalFailures: 3, splitsLocalFailures: true }, "lll", "e0"],
    ["split, any answer is one", { consecutiveLocalFailures: 3, splitsLocalFailures: true }, "ll5l.lgl", ""],
    ["split, they are no 5xx", { consecutive5xx: 3, splitsLocalFailures: true }, "5l5lll", ""],
    [
      "split, they do not break a row of 5xx",
      { consecutive5xx: 3, splitsLocalFailures: true },
      "5l5ll5",
      "e0",
    ],
    ["the first detector to find it", { consecutive5xx: 5, consecutiveGatewayErrors: 2 }, "5gg", "e0"],
  ])("%s", (_name, policy, ends, out) => {
    expect(new Observer(policy).call("e0", ends).out()).toBe(out);
  });

  test("they go on over intervals and an hour of quiet", () => {
    const observer = new Observer({ consecutive5xx: 5 });
    observer.call("e0", "555").pass(15_000).call("e0", "5").pass(3_600_000).call("e0", "5");
    expect(observer.out()).toBe("e0");
  });
});

describe("an ejection", () => {
  const policy = { consecutive5xx: 2, maxEjectionMs: 70_000 };

  test("grows with each before it, up to the longest", () => {
    const observer = new Observer(policy);
    for (let time = 0; time < 4; time++) observer.call("e0", "55").pass(71_000);
    // Whole intervals in between took some back.
    expect(observer.seen).toEqual(["e0 for 30", "e0 for 30", "e0 for 30", "e0 for 30"]);
    const fast = new Observer(policy);
    for (const ms of [30_000, 60_000, 70_000, 0]) fast.call("e0", "55").pass(ms);
    expect(fast.seen).toEqual(["e0 for 30", "e0 for 60", "e0 for 70", "e0 for 70"]);
  });

  test.each([
    ["less than an interval after its end takes nothing back", 9_999, "e0 for 90"],
    ["a whole one takes one back", 10_000, "e0 for 60"],
    ["two take two back", 20_000, "e0 for 30"],
    ["there are never less than none", 3_600_000, "e0 for 30"],
  ])("%s", (_name, ms, last) => {
    // Times at the end of an interval, so that whole ones are easily counted.
    const observer = new Observer({ consecutive5xx: 2 });
    observer.call("e0", "55").pass(30_000).call("e0", "55").pass(60_000).pass(ms).call("e0", "55");
    expect(observer.seen.at(-1)).toBe(last);
  });

  test("ends at its time and not a millisecond later, with clean counters", () => {
    const observer = new Observer(policy).call("e0", "5").call("e0", "5");
    const at = (ms: number): boolean => outlier.isOut(observer.tracker, "e0", T + ms);
    expect([at(0), at(29_999), at(30_000)]).toEqual([true, true, false]);
    // Calls that were on their way, or came in panic.
    observer.pass(29_999).call("e0", "555");
    expect(observer.pass(1).call("e0", "5").out()).toBe("");
    expect(observer.call("e0", "5").out()).toBe("e0");
  });

  test("does not last for the size of a step of the clock back", () => {
    const observer = new Observer(policy).call("e0", "55").pass(-3_600_000);
    expect(observer.out()).toBe("");
    expect(observer.call("e0", "55").out()).toBe("e0");
  });

  test("ends early when somebody found the endpoint well", () => {
    const observer = new Observer(policy).call("e0", "55");
    expect(outlier.readmit(observer.tracker, "e1", T)).toBe(false);
    expect(outlier.readmit(observer.tracker, "e0", T)).toBe(true);
    expect(outlier.readmit(observer.tracker, "e0", T)).toBe(false);
    expect(observer.out()).toBe("");
    expect(observer.call("e0", "55").seen).toEqual(["e0 for 30", "e0 for 60"]);
  });

  test("is forgotten with its endpoint", () => {
    const observer = new Observer(policy).call("e0", "55");
    outlier.retain(observer.tracker, new Set(["e1"]));
    expect([observer.out(), observer.tracker.tracks.size]).toEqual(["", 0]);
  });
});

function failAll(observer: Observer): string {
  for (const { id } of observer.endpoints) observer.call(id, "5");
  return observer.out();
}

describe("the share that may be out", () => {
  test.each([
    ["one of two, whatever the share", 2, 0, "e0"],
    ["one of one", 1, 0.1, "e0"],
    ["a tenth of nineteen is one", 19, 0.1, "e0"],
    ["a tenth of twenty are two", 20, 0.1, "e0,e1"],
    ["all", 3, 1, "e0,e1,e2"],
    [
      "rounding takes none away",
      100,
      0.29,
      named(29)
        .map(({ id }) => id)
        .join(),
    ],
  ])("%s", (_name, count, maxEjectedRatio, out) => {
    expect(failAll(new Observer({ consecutive5xx: 1, maxEjectedRatio }, named(count)))).toBe(out);
  });

  test("those that somebody else keeps out count, until their time is over", () => {
    const endpoints = [{ id: "e0", ejectedUntil: T + 1 }, { id: "e1" }, { id: "e2" }];
    const observer = new Observer({ consecutive5xx: 1 }, endpoints);
    expect(observer.call("e1", "5").out()).toBe("");
    expect(observer.pass(1).call("e1", "5").out()).toBe("e1");
  });

  test("an endpoint that finds no room counts anew", () => {
    const observer = new Observer({ consecutive5xx: 3 }, named(2)).call("e0", "555").call("e1", "555");
    expect(observer.out()).toBe("e0");
    observer.pass(30_000).call("e1", "55");
    expect(observer.out()).toBe("");
    expect(observer.call("e1", "5").out()).toBe("e1");
  });
});

describe("rates", () => {
  const successRate = { minEndpoints: 3, minVolume: 10, stdevFactor: 1 };
  const failurePercentage = { threshold: 50, minEndpoints: 3, minVolume: 10 };
  const good = ".".repeat(10);

  test.each<[string, Partial<OutlierPolicy>, readonly string[], string]>([
    ["far below the mean", { successRate }, [good, good, good, ".....55555"], "e3"],
    ["calls without an answer are failures", { successRate }, [good, good, good, ".....lllll"], "e3"],
    ["all alike", { successRate }, ["55555.....", "55555.....", "55555....."], ""],
    ["too few endpoints", { successRate }, [good, ".....55555"], ""],
    [
      "too few of them with enough calls",
      { successRate },
      [good, good.slice(1), good.slice(1), ".....55555"],
      "",
    ],
    ["too few calls of the bad one", { successRate }, [good, good, good, "555555555"], ""],
    ["the threshold itself", { failurePercentage }, [good, good, ".....55555"], "e2"],
    ["below it", { failurePercentage }, [good, good, "......5555"], ""],
    ["too few endpoints for it", { failurePercentage }, [good, "5555555555"], ""],
    [
      "the worst where there is no room for all",
      { failurePercentage },
      ["55555.....", good, good, "l".repeat(10)],
      "e3",
    ],
    [
      "as many as there is room for",
      { failurePercentage, maxEjectedRatio: 0.2 },
      ["55555.....", good, good, "l".repeat(10)],
      "e0,e3",
    ],
    [
      "split, both kinds of failures are rates of their own: of answers",
      { failurePercentage, splitsLocalFailures: true },
      [good, good, `${good}${"l".repeat(9)}55555`],
      "",
    ],
    [
      "and of getting one",
      { failurePercentage, splitsLocalFailures: true },
      [good, good, `${good}${"l".repeat(10)}`],
      "e2",
    ],
  ])("%s", (_name, policy, calls, out) => {
    const observer = new Observer(policy);
    calls.forEach((ends, index) => observer.call(`e${index}`, ends));
    expect(observer.out()).toBe("");
    expect(observer.pass(10_000).call("e9", ".").out()).toBe(out);
  });

  test.each([
    ["the interval before", [good, good, "5555555555"], 10_000, "e2"],
    ["the end that nobody was there to see", [good, good, "5555555555"], 20_000, ""],
  ])("are those of %s", (_name, calls, ms, out) => {
    const observer = new Observer({ failurePercentage });
    calls.forEach((ends, index) => observer.call(`e${index}`, ends));
    expect(observer.pass(ms).call("e9", ".").out()).toBe(out);
  });

  test("begin anew with each interval", () => {
    const observer = new Observer({ failurePercentage });
    observer.call("e0", good).call("e1", good).call("e2", "55555").pass(10_000);
    observer.call("e0", good).call("e1", good).call("e2", "55555").pass(10_000);
    expect(observer.call("e9", ".").out()).toBe("");
  });

  test("are not looked at of an endpoint that is out", () => {
    const observer = new Observer({ failurePercentage, consecutive5xx: 12, maxEjectedRatio: 1 });
    observer.call("e0", good).call("e1", good).call("e2", "5".repeat(12)).pass(10_000);
    observer.call("e9", ".");
    expect(observer.seen).toEqual(["e2 for 30"]);
  });
});

/** Keeps every outcome, and looks at all of them each time. */
class SlowObserver {
  readonly calls: { endpoint: string; end: CallEnd; at: number }[] = [];
  readonly ejections: { endpoint: string; at: number; until: number; factor: number }[] = [];
  /** When an endpoint's row was last broken by a decision: such failures count anew. */
  readonly anew = new Map<string, number>();
  lastTick = 0;
  readonly policy: OutlierPolicy;
  readonly ids: readonly string[];

  constructor(policy: OutlierPolicy, ids: readonly string[]) {
    this.policy = policy;
    this.ids = ids;
  }

  isOut(id: string, at: number): boolean {
    return this.ejections.some(
      ({ endpoint, at: from, until }) => endpoint === id && from <= at && at < until,
    );
  }

  eject(id: string, at: number): void {
    const out = this.ids.filter((each) => this.isOut(each, at)).length;
    if (out > 0 && out + 1 > this.policy.maxEjectedRatio * this.ids.length + 1e-9) return;
    const { baseEjectionMs, maxEjectionMs } = this.policy;
    const factor = this.#factor(id, at);
    const next = factor * baseEjectionMs < maxEjectionMs ? factor + 1 : factor;
    this.ejections.push({
      endpoint: id,
      at,
      until: at + Math.min(next * baseEjectionMs, maxEjectionMs),
      factor: next,
    });
    this.anew.set(id, this.calls.length);
  }

  /** Ejections so far, less one for each interval of the clock that it was in use for all of. */
  #factor(id: string, at: number): number {
    const last = this.ejections.findLast(({ endpoint }) => endpoint === id);
    if (last === undefined) return 0;
    const { intervalMs } = this.policy;
    let whole = 0;
    for (
      let tick = Math.ceil(last.until / intervalMs) * intervalMs + intervalMs;
      tick <= at;
      tick += intervalMs
    )
      whole += 1;
    return Math.max(0, last.factor - whole);
  }

  record(endpoint: string, end: CallEnd, at: number): void {
    const { intervalMs } = this.policy;
    const tick = Math.floor(at / intervalMs) * intervalMs;
    if (tick > this.lastTick) {
      if (at - this.lastTick < 2 * intervalMs) this.#look(this.lastTick, tick, at);
      this.lastTick = tick;
    }
    if (this.isOut(endpoint, at)) return;
    this.calls.push({ endpoint, end, at });
    if (end === "answer") return;
    const isTooMany = [
      [this.policy.consecutive5xx, ["server-error", "gateway-error", "local-failure"]] as const,
      [this.policy.consecutiveGatewayErrors, ["gateway-error", "local-failure"]] as const,
    ].some(([limit, ends]) => limit !== null && this.#row(endpoint, ends) >= limit);
    if (!isTooMany) return;
    this.anew.set(endpoint, this.calls.length);
    this.eject(endpoint, at);
  }

  #row(id: string, ends: readonly CallEnd[]): number {
    const own = this.calls.slice(this.anew.get(id) ?? 0).filter(({ endpoint }) => endpoint === id);
    const other = own.findLastIndex(({ end }) => !ends.includes(end));
    return own.length - other - 1;
  }

  #look(from: number, to: number, at: number): void {
    const rated = this.ids
      .filter((id) => !this.isOut(id, at))
      .map((id) => {
        const last = this.ejections.findLast(({ endpoint }) => endpoint === id)?.at ?? 0;
        const own = this.calls.filter((call) => call.endpoint === id && call.at >= from && call.at < to);
        const counted = own.filter((call) => call.at > last);
        const rate = counted.filter(({ end }) => end === "answer").length / counted.length;
        return { id, calls: counted.length, rate: 100 * rate };
      });
    const bad = new Map<string, number>();
    const { successRate, failurePercentage } = this.policy;
    if (successRate !== null) {
      const known = rated.filter(({ calls }) => calls >= successRate.minVolume);
      const average = known.reduce((sum, { rate }) => sum + rate, 0) / known.length;
      const variance = known.reduce((sum, { rate }) => sum + (rate - average) ** 2, 0) / known.length;
      const threshold = average - successRate.stdevFactor * Math.sqrt(variance) - 1e-9;
      if (known.length >= successRate.minEndpoints)
        for (const { id, rate } of known) if (rate < threshold) bad.set(id, rate);
    }
    if (failurePercentage !== null) {
      const known = rated.filter(({ calls }) => calls >= failurePercentage.minVolume);
      if (known.length >= failurePercentage.minEndpoints)
        for (const { id, rate } of known) if (100 - rate >= failurePercentage.threshold) bad.set(id, rate);
    }
    const worst = [...bad].sort(([, a], [, b]) => a - b);
    for (const [id] of worst) this.eject(id, at);
  }
}

test.each([1, 2, 3, 4, 5, 6])("decides as somebody who remembers every call (seed %i)", (seed) => {
  const random = seeded(seed);
  const policy: OutlierPolicy = {
    ...OFF,
    intervalMs: 1_000,
    baseEjectionMs: 1_500,
    maxEjectionMs: 4_000,
    maxEjectedRatio: 0.4,
    consecutive5xx: seed % 2 === 0 ? 6 : 25,
    consecutiveGatewayErrors: 4,
    successRate: { minEndpoints: 3, minVolume: 5, stdevFactor: 1.2 },
    failurePercentage: { threshold: 80, minEndpoints: 2, minVolume: 4 },
  };
  const ids = named(6).map(({ id }) => id);
  const observer = new Observer(policy, named(6));
  const slow = new SlowObserver(policy, ids);
  slow.lastTick = 0;
  const letters = Object.keys(ENDS);
  for (let call = 0; call < 3_000; call++) {
    observer.pass(Math.floor(random() ** 6 * 400) + 1);
    const id = oneOf(random, ids);
    const isFailing = random() < (id === "e0" ? 0.7 : 0.25);
    const letter = isFailing ? oneOf(random, letters) : ".";
    observer.call(id, letter);
    slow.record(id, ENDS[letter] ?? "answer", observer.now);
    const out = ids.filter((each) => slow.isOut(each, observer.now)).join();
    expect(`${call} ${observer.out().split(",").sort().join()}`).toBe(`${call} ${out}`);
  }
  expect(observer.seen).toEqual(
    slow.ejections.map(({ endpoint, at, until }) => `${endpoint} for ${(until - at) / 1000}`),
  );
  expect(observer.seen.length).toBeGreaterThan(20);
});
