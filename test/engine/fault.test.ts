import { expect, test } from "vitest";
import { principalOf, type Caller } from "../../shared/engine/authorize.ts";
import * as fault from "../../shared/engine/fault.ts";
import { seeded } from "./random.ts";
import { compilePattern, viewOf } from "./routes.ts";

const EVERYTHING: fault.Fault["match"] = { headers: [], callers: [] };
const NOTHING: fault.Injection = { delayMs: 0, abort: null, by: null };
const NOW = 1_000_000;

function faultOf(change: Partial<fault.Fault>): fault.Fault {
  return { policy: "shop/f", match: EVERYTHING, expiresAt: null, ...change };
}

function callerFrom(namespace: string): Caller {
  const workload = { trustDomain: "mesh.test", namespace, serviceAccount: "web" };
  return { ...workload, principal: principalOf(workload) };
}

interface Call {
  readonly headers?: Record<string, string>;
  readonly caller?: Caller | null;
  readonly draws?: readonly number[];
  readonly now?: number;
}

function inject(faults: readonly fault.Fault[], call: Call = {}): fault.Injection {
  const draws = [...(call.draws ?? [])];
  const chance = { random: () => draws.shift() ?? 0, now: call.now ?? NOW };
  const request = viewOf("/", { headers: call.headers ?? {} });
  return fault.inject(fault.link(faults, compilePattern), request, call.caller ?? null, chance);
}

const DELAY = { fixedMs: 100, jitterMs: 0, share: 1 };
const ABORT = { status: 503, share: 1 };
const delayed = (delayMs: number, by = "shop/f"): fault.Injection => ({ delayMs, abort: null, by });
const aborted = (abort: fault.Abort, by = "shop/f"): fault.Injection => ({ delayMs: 0, abort, by });

test.each<[name: string, faults: fault.Fault[], call: Call, expected: fault.Injection]>([
  ["no fault", [], {}, NOTHING],
  ["a fault without effect", [faultOf({})], {}, NOTHING],
  ["a delay", [faultOf({ delay: DELAY })], {}, delayed(100)],
  ["an abort", [faultOf({ abort: ABORT })], {}, aborted({ status: 503 })],
  [
    "an abort of gRPC",
    [faultOf({ abort: { status: 200, grpcStatus: 14, share: 1 } })],
    {},
    aborted({ status: 200, grpcStatus: 14 }),
  ],
  [
    "both",
    [faultOf({ delay: DELAY, abort: ABORT })],
    {},
    { delayMs: 100, abort: { status: 503 }, by: "shop/f" },
  ],
  [
    "a share that is drawn",
    [faultOf({ abort: { ...ABORT, share: 0.5 } })],
    { draws: [0.49] },
    aborted({ status: 503 }),
  ],
  ["a share that is not drawn", [faultOf({ abort: { ...ABORT, share: 0.5 } })], { draws: [0.5] }, NOTHING],
  ["a share of nothing", [faultOf({ abort: { ...ABORT, share: 0 } })], { draws: [0] }, NOTHING],
  [
    "delay and abort are drawn each for itself",
    [faultOf({ delay: { ...DELAY, share: 0.5 }, abort: { ...ABORT, share: 0.5 } })],
    { draws: [0.9, 0.1] },
    aborted({ status: 503 }),
  ],
  ["jitter at its least", [faultOf({ delay: { ...DELAY, jitterMs: 50 } })], { draws: [0, 0] }, delayed(100)],
  [
    "jitter at its most",
    [faultOf({ delay: { ...DELAY, jitterMs: 50 } })],
    { draws: [0, 1 - 2 ** -53] },
    delayed(149),
  ],
  [
    "the first delay and the first abort that are drawn",
    [
      faultOf({ policy: "shop/a", delay: { ...DELAY, share: 0 } }),
      faultOf({ policy: "shop/b", delay: { ...DELAY, fixedMs: 7 } }),
      faultOf({ policy: "shop/c", delay: DELAY, abort: ABORT }),
      faultOf({ policy: "shop/d", abort: { status: 500, share: 1 } }),
    ],
    {},
    { delayMs: 7, abort: { status: 503 }, by: "shop/c" },
  ],
  [
    "a fault the moment before it expires",
    [faultOf({ abort: ABORT, expiresAt: NOW + 1 })],
    {},
    aborted({ status: 503 }),
  ],
  ["a fault that expires now", [faultOf({ abort: ABORT, expiresAt: NOW })], {}, NOTHING],
  [
    "a fault an hour after it expired",
    [faultOf({ abort: ABORT, expiresAt: NOW })],
    { now: NOW + 3_600_000 },
    NOTHING,
  ],
  [
    "an expired fault before one in force",
    [faultOf({ abort: { status: 500, share: 1 }, expiresAt: NOW }), faultOf({ abort: ABORT })],
    {},
    aborted({ status: 503 }),
  ],
])("%s", (_name, faults, call, expected) => {
  expect(inject(faults, call)).toEqual(expected);
});

const FOR_TESTERS: fault.Fault["match"] = {
  headers: [
    { name: "end-user", kind: "regex", value: "jas.*" },
    { name: "x-live", kind: "present", value: "", isInverted: true },
  ],
  callers: [
    { namespaces: [{ kind: "exact", value: "shop" }] },
    { namespaces: [{ kind: "exact", value: "qa" }] },
  ],
};

test.each([
  [{ "end-user": "jason" }, callerFrom("shop"), true],
  [{ "end-user": "jason" }, callerFrom("qa"), true],
  [{ "end-user": "jason" }, callerFrom("bank"), false],
  [{ "end-user": "jason" }, null, false],
  [{ "end-user": "jim" }, callerFrom("shop"), false],
  [{}, callerFrom("shop"), false],
  [{ "end-user": "jason", "x-live": "" }, callerFrom("shop"), false],
])("headers %j of %j meet the fault: %s", (headers, caller, expected) => {
  const injection = inject([faultOf({ match: FOR_TESTERS, abort: ABORT })], {
    headers: { ...headers } as never,
    caller,
  });
  expect(injection.abort !== null).toBe(expected);
});

test("a share of 10 % is 10 % within three standard deviations", () => {
  const random = seeded(9);
  const linked = fault.link([faultOf({ abort: { status: 503, share: 0.1 } })], compilePattern);
  const injections = Array.from({ length: 20_000 }, () =>
    fault.inject(linked, viewOf("/"), null, { random, now: NOW }),
  );
  const count = injections.filter(({ abort }) => abort !== null).length;
  expect(Math.abs(count - 2_000)).toBeLessThan(3 * Math.sqrt(20_000 * 0.1 * 0.9));
});

test("a regular expression that is none breaks the faults", () => {
  const match = { ...EVERYTHING, headers: [{ name: "a", kind: "regex" as const, value: "(" }] };
  expect(() => fault.link([faultOf({ match })], compilePattern)).toThrow(SyntaxError);
});
