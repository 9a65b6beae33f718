import { expect, test } from "vitest";
import * as circuit from "../../shared/engine/circuit.ts";
import { seeded } from "./random.ts";

const POLICY: circuit.CircuitPolicy = { failuresToOpen: 3, openForMs: 1000, rejects: true };
const T = 1_700_000_000_000;
const HOUR = 3_600_000;

const at = (now: number): circuit.Moment => ({ now, random: () => 0.5 });

const failed = (failures: number): circuit.Circuit => ({ kind: "closed", failures });
const open = (since: number): circuit.Circuit => ({
  kind: "open",
  since,
  probeAt: since + 1000,
  openMs: 1000,
});
const probing = (since: number): circuit.Circuit => ({
  kind: "probing",
  since,
  probeAt: since + 1000,
  openMs: 1000,
});

test.each<[string, circuit.Circuit, number, circuit.Admission]>([
  ["a closed circuit serves", failed(2), T, { kind: "allow", circuit: failed(2) }],
  ["just opened", open(T), T, { kind: "reject", circuit: open(T), retryAfterMs: 1000 }],
  ["the last open instant", open(T), T + 999, { kind: "reject", circuit: open(T), retryAfterMs: 1 }],
  ["the limit itself: probe", open(T), T + 1000, { kind: "allow", circuit: probing(T + 1000) }],
  ["an hour idle: probe", open(T), T + HOUR, { kind: "allow", circuit: probing(T + HOUR) }],
  ["a probe is out", probing(T), T + 1, { kind: "reject", circuit: probing(T), retryAfterMs: 999 }],
  ["a lost answer: next probe", probing(T), T + 1000, { kind: "allow", circuit: probing(T + 1000) }],
  ["a clock that steps back: probe", open(T), T - HOUR, { kind: "allow", circuit: probing(T - HOUR) }],
  ["a clock that steps back: lost probe", probing(T), T - 1, { kind: "allow", circuit: probing(T - 1) }],
])("admit: %s", (_name, before, now, expected) => {
  expect(circuit.admit(before, POLICY, now)).toEqual(expected);
  expect(circuit.isOpen(before, now)).toBe(expected.kind === "reject");
});

interface Step {
  readonly before: circuit.Circuit;
  readonly outcome: "success" | "failure";
  readonly now: number;
}

const succeeds = (before: circuit.Circuit, now: number): Step => ({ before, outcome: "success", now });
const fails = (before: circuit.Circuit, now: number): Step => ({ before, outcome: "failure", now });

test.each<[string, Step, circuit.Circuit]>([
  ["a success forgets failures", succeeds(failed(2), T), circuit.CLOSED],
  ["a failure counts", fails(circuit.CLOSED, T), failed(1)],
  ["one below the limit", fails(failed(1), T), failed(2)],
  ["the limit itself", fails(failed(2), T), open(T)],
  ["an hour idle forgets nothing", fails(failed(2), T + HOUR), open(T + HOUR)],
  ["a straggler's success after opening", succeeds(open(T), T + 1), open(T)],
  ["a straggler's failure after opening", fails(open(T), T + 900), open(T)],
  ["the probe succeeds", succeeds(probing(T), T + 5), circuit.CLOSED],
  ["the probe fails", fails(probing(T), T + 5), open(T + 5)],
  ["a clock that steps back counts all the same", fails(failed(1), T - HOUR), failed(2)],
])("record: %s", (_name, { before, outcome, now }, expected) => {
  expect(circuit.record(before, POLICY, outcome, at(now))).toEqual(expected);
});

test("a single failure opens a circuit whose limit is one", () => {
  const policy = { failuresToOpen: 1, openForMs: 1000, rejects: true };
  expect(circuit.record(circuit.CLOSED, policy, "failure", at(T))).toEqual(open(T));
});

test("a circuit whose probes never answer lets one call out per openForMs", () => {
  let state = open(T);
  const admitted: number[] = [];
  for (let now = T; now < T + 5000; now++) {
    const admission = circuit.admit(state, POLICY, now);
    state = admission.circuit;
    if (admission.kind === "allow") admitted.push(now - T);
  }
  expect(admitted).toEqual([1000, 2000, 3000, 4000]);
});

test("a circuit that only steers lets out what is sent its way, and its probes", () => {
  const policy = { ...POLICY, rejects: false };
  const open: circuit.Circuit = { kind: "open", since: 0, probeAt: 1000, openMs: 1000 };
  const probing: circuit.Circuit = { kind: "probing", since: 1000, probeAt: 2000, openMs: 1000 };
  expect(circuit.admit(open, policy, 999)).toEqual({ kind: "allow", circuit: open });
  expect(circuit.admit(open, policy, 1000)).toEqual({ kind: "allow", circuit: probing });
  expect(circuit.admit(probing, policy, 1500)).toEqual({ kind: "allow", circuit: probing });
});

test("each probe that fails doubles how long it is open, up to the limit; one success forgets that", () => {
  const policy = { failuresToOpen: 1, openForMs: 1000, maxOpenForMs: 5000, rejects: true };
  let state: circuit.Circuit = circuit.CLOSED;
  const waits: number[] = [];
  let now = T;
  const fail = (): void => {
    state = circuit.record(state, policy, "failure", at(now));
    if (state.kind === "closed") throw new Error("it must be open");
    waits.push(state.probeAt - now);
    now = state.probeAt;
    state = circuit.admit(state, policy, now).circuit;
  };
  for (let probe = 0; probe < 5; probe++) fail();
  expect(waits).toEqual([1000, 2000, 4000, 5000, 5000]);

  state = circuit.record(state, policy, "success", at(now));
  expect(state).toBe(circuit.CLOSED);
  fail();
  expect(waits.at(-1)).toBe(1000);
});

test("a probe that is lost, or follows another policy, doubles nothing", () => {
  const policy = { failuresToOpen: 1, openForMs: 1000, maxOpenForMs: 8000, rejects: true };
  const lost: circuit.Circuit = { kind: "probing", since: T, probeAt: T + 2000, openMs: 2000 };
  expect(circuit.admit(lost, policy, T + 2000).circuit).toEqual({
    kind: "probing",
    since: T + 2000,
    probeAt: T + 4000,
    openMs: 2000,
  });
  const shorter = { ...policy, maxOpenForMs: 1500 };
  expect(circuit.record(lost, shorter, "failure", at(T))).toEqual({
    kind: "open",
    since: T,
    probeAt: T + 1500,
    openMs: 1500,
  });
});

test("jitter adds up to its share, and not to what is doubled", () => {
  const policy = { failuresToOpen: 1, openForMs: 1000, maxOpenForMs: 2000, jitter: 0.5, rejects: true };
  const opened = circuit.record(circuit.CLOSED, policy, "failure", at(T));
  expect(opened).toEqual({ kind: "open", since: T, probeAt: T + 1250, openMs: 1000 });
  const probe = circuit.admit(opened, policy, T + 1250).circuit;
  const again = circuit.record(probe, policy, "failure", at(T));
  expect(again).toEqual({ kind: "open", since: T, probeAt: T + 2500, openMs: 2000 });
});

const RATIO = { ratio: 0.5, windowMs: 10_000, minCalls: 4 };
const BY_RATIO: circuit.CircuitPolicy = {
  failuresToOpen: 1e9,
  openForMs: 1000,
  rejects: true,
  failureRatio: RATIO,
};

/** Outcomes at seconds: `f3` is a failure in the third. */
function after(outcomes: string): string {
  let state: circuit.Circuit = circuit.CLOSED;
  for (const each of outcomes.split(" ")) {
    const outcome = each.startsWith("f") ? "failure" : "success";
    state = circuit.record(state, BY_RATIO, outcome, at(T + Number(each.slice(1)) * 1000));
  }
  return state.kind;
}

test.each([
  ["fewer calls than the least", "f0 f0 f0", "closed"],
  ["the least, and the share itself", "s0 s0 f0 f0", "open"],
  ["below the share", "s0 s0 s0 f0 f0", "closed"],
  ["it is a failure that opens", "f0 f0 f0 s0", "closed"],
  ["and the next one does", "f0 f0 f0 s0 f0", "open"],
  ["the half before counts", "s0 f4 f5 f9", "open"],
  ["what is older than the window does not", "f0 f0 f0 f10", "closed"],
  ["an hour idle", "f0 f0 f0 f3600", "closed"],
  ["a clock that steps back begins anew", "f9 f9 f9 f0", "closed"],
])("a ratio of failures: %s", (_name, outcomes, kind) => {
  expect(after(outcomes)).toBe(kind);
});

test("a ratio is found out at half a window's delay at most, and never of too few failures", () => {
  const random = seeded(11);
  let seen = { opened: 0, due: 0 };
  for (let round = 0; round < 3_000; round++) {
    const failing = random();
    const calls: { readonly at: number; readonly isFailure: boolean }[] = [];
    let state: circuit.Circuit = circuit.CLOSED;
    let now = T;
    for (let call = 0; call < 40 && state.kind === "closed"; call++) {
      now += Math.floor(random() * 2_000);
      const isFailure = random() < failing;
      calls.push({ at: now, isFailure });
      state = circuit.record(state, BY_RATIO, isFailure ? "failure" : "success", at(now));
      const within = (ms: number) => calls.filter((each) => each.at > now - ms);
      const share = (some: typeof calls) =>
        some.length < RATIO.minCalls ? 0 : some.filter((each) => each.isFailure).length / some.length;
      // What it counts is the newest calls of some span between half the window and all of it.
      const spans = calls.filter((each) => each.at <= now - 5_000 && each.at >= now - 10_000);
      const shares = [within(5_000), ...spans.map((each) => within(now - each.at)), within(10_001)].map(
        share,
      );
      const isOpen = state.kind === "open";
      if (isFailure && shares.every((each) => each >= RATIO.ratio)) {
        expect(isOpen).toBe(true);
        seen = { ...seen, due: seen.due + 1 };
      }
      if (isOpen) {
        expect(isFailure && shares.some((each) => each >= RATIO.ratio)).toBe(true);
        seen = { ...seen, opened: seen.opened + 1 };
      }
    }
  }
  expect(seen.opened).toBeGreaterThan(500);
  expect(seen.due).toBeGreaterThan(500);
});
