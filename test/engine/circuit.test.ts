import { expect, test } from "vitest";
import * as circuit from "../../shared/engine/circuit.ts";

const POLICY: circuit.CircuitPolicy = { failuresToOpen: 3, openForMs: 1000, rejects: true };
const T = 1_700_000_000_000;
const HOUR = 3_600_000;

const failed = (failures: number): circuit.Circuit => ({ kind: "closed", failures });
const open = (since: number): circuit.Circuit => ({ kind: "open", since, probeAt: since + 1000 });
const probing = (since: number): circuit.Circuit => ({ kind: "probing", since, probeAt: since + 1000 });

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
  expect(circuit.record(before, POLICY, outcome, now)).toEqual(expected);
});

test("a single failure opens a circuit whose limit is one", () => {
  const policy = { failuresToOpen: 1, openForMs: 1000, rejects: true };
  expect(circuit.record(circuit.CLOSED, policy, "failure", T)).toEqual(open(T));
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
  const open: circuit.Circuit = { kind: "open", since: 0, probeAt: 1000 };
  const probing: circuit.Circuit = { kind: "probing", since: 1000, probeAt: 2000 };
  expect(circuit.admit(open, policy, 999)).toEqual({ kind: "allow", circuit: open });
  expect(circuit.admit(open, policy, 1000)).toEqual({ kind: "allow", circuit: probing });
  expect(circuit.admit(probing, policy, 1500)).toEqual({ kind: "allow", circuit: probing });
});
