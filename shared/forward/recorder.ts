/**
 * Chooses the few calls of each workload that are recorded: a fair sample of
 * those admitted and of those denied, whatever their number.
 *
 * @module
 */
import type { InboundPolicy } from "../engine/snapshot.ts";
import type { Millis, Random } from "../engine/time.ts";
import { MAX_SAMPLES } from "../wire/recorded-call.ts";
import type { CallSample, RecordedCall } from "../wire/recorded-call.ts";

/** From one report of recorded calls to the next, for an isolate: policies change by the hour, and every row costs. */
export const RECORD_EVERY_MS: Millis = 10_000;

/** Distinct calls of each half of a workload's sample. */
const MAX_PICKS = 10;

/** Workloads that are sampled at a time; further ones have their turn after the next report. */
const MAX_WORKLOADS = 200;

interface Pick {
  readonly call: RecordedCall;
  readonly isAdmitted: boolean;
  calls: number;
}

/** Calls of one workload with one outcome. */
export interface Sample {
  seen: number;
  /** The number of the call that is looked at next: ever rarer ones, as many among a million as among a hundred. */
  lookAt: number;
  /** By what tells them apart. */
  readonly picks: Map<string, Pick>;
}

interface Halves {
  readonly admitted: Sample;
  readonly denied: Sample;
}

export interface Recorder {
  /** By the policies of the workload, which have their own identity in every snapshot. */
  samples: Map<InboundPolicy, Halves>;
  /** When the last calls went out. */
  cutAt: Millis;
  /** When calls that no report of metrics takes along go out; `null`: there is no need. */
  reportAt: Millis | null;
}

/** A recorder that has seen nothing. */
export function createRecorder(): Recorder {
  return { samples: new Map(), cutAt: 0, reportAt: null };
}

/** Counts a call, and answers the sample that it is a candidate for; `null` for most. */
export function due(
  { samples }: Recorder,
  policy: InboundPolicy,
  isAdmitted: boolean,
  random: Random,
): Sample | null {
  const halves = samples.get(policy) ?? addWorkload(samples, policy);
  if (halves === null) return null;
  const sample = isAdmitted ? halves.admitted : halves.denied;
  sample.seen += 1;
  if (sample.seen < sample.lookAt) return null;
  sample.lookAt = nextLook(sample.seen, random);
  return sample;
}

/** Keeps a candidate: counted with those like it, in a free place, or in that of another. */
export function keep(
  { picks }: Sample,
  key: string,
  { random, make }: { readonly random: Random; readonly make: () => Omit<Pick, "calls"> | null },
): boolean {
  const same = picks.get(key);
  if (same !== undefined) {
    same.calls += 1;
    return true;
  }
  const pick = make();
  if (pick === null) return false;
  if (picks.size >= MAX_PICKS) {
    const names = [...picks.keys()];
    picks.delete(names[Math.floor(random() * names.length)] ?? "");
  }
  picks.set(key, { ...pick, calls: 1 });
  return true;
}

/** Takes the recorded calls out, if it is time: each workload's first, then the second ones, up to what a report may have. */
export function cut(recorder: Recorder, now: Millis): readonly CallSample[] {
  const sinceMs = now - recorder.cutAt;
  if (recorder.samples.size === 0 || (sinceMs >= 0 && sinceMs < RECORD_EVERY_MS)) return [];
  const lists = [...recorder.samples.values()].map(({ admitted, denied }) => [
    ...denied.picks.values(),
    ...admitted.picks.values(),
  ]);
  recorder.samples = new Map();
  recorder.cutAt = now;
  const turns = Math.max(...lists.map(({ length }) => length));
  return Array.from({ length: turns }, (_, turn) => lists.flatMap((list) => list[turn] ?? []))
    .flat()
    .slice(0, MAX_SAMPLES);
}

function addWorkload(samples: Map<InboundPolicy, Halves>, policy: InboundPolicy): Halves | null {
  if (samples.size >= MAX_WORKLOADS) return null;
  const halves = { admitted: nothingSeen(), denied: nothingSeen() };
  samples.set(policy, halves);
  return halves;
}

function nothingSeen(): Sample {
  return { seen: 0, lookAt: 1, picks: new Map() };
}

/**
 * Every one of the first calls is looked at, then call n with the probability
 * `MAX_PICKS / n`, as reservoir sampling would (Li's Algorithm L): the distance
 * is drawn at once, so that the calls between cost a comparison.
 */
function nextLook(seen: number, random: Random): number {
  if (seen < MAX_PICKS) return seen + 1;
  return Math.max(seen + 1, Math.ceil(seen * (1 - random()) ** (-1 / MAX_PICKS)));
}
