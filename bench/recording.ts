/**
 * What it costs to choose the few calls that are recorded, in nanoseconds.
 *
 * @module
 */
import type { InboundPolicy } from "../shared/engine/snapshot.ts";
import * as recorder from "../shared/forward/recorder.ts";
import type { RecordedCall } from "../shared/wire/recorded-call.ts";
import { at, nanoseconds } from "./timing.ts";

const WORKLOADS = 8;

/** A host reports every ten seconds: so many calls of a busy one are one sample. */
const CALLS_A_REPORT = 10_000;

const CALL: RecordedCall = {
  unit: "service:shop/web",
  endpoint: "web-1",
  caller: null,
  host: "web",
  port: 80,
  method: "GET",
  path: "/",
  headers: {},
};

const make = () => ({ call: CALL, isAdmitted: true });

/** A call among many to a few workloads, each with a path of its own. */
export function timeRecording(): number {
  const policies = Array.from({ length: WORKLOADS }, (): InboundPolicy => ({
    peer: "strict",
    authorization: { deny: [], allow: null },
    limits: [],
  }));
  const own = recorder.createRecorder();
  const { random } = Math;
  let now = 0;
  return nanoseconds((n) => {
    if (n % CALLS_A_REPORT === 0) recorder.cut(own, (now += recorder.RECORD_EVERY_MS));
    const sample = recorder.due(own, at(policies, n), true, random);
    if (sample === null) return true;
    return recorder.keep(sample, `/items/${n}`, { random, make });
  });
}
