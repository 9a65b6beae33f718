/**
 * Faults: what goes wrong on purpose, for a share of requests and, by a
 * FaultPolicy, for a time that must be given.
 *
 * @module
 */
import { isFromAny, type Caller, type SourceMatch } from "./authorize.ts";
import type { RequestView } from "./request.ts";
import type { Millis, Random } from "./time.ts";
import { compile, type CompilePattern, type ValueMatch, type ValueTest } from "./value-match.ts";

/** A fault. Delay and abort are drawn each for itself (Envoy). */
export interface Fault {
  /** `namespace/name` of the policy or route that asked for it: who to turn to. */
  readonly policy: string;
  /** All headers and any of the callers; empty lists hold for every request. */
  readonly match: { readonly headers: readonly ValueMatch[]; readonly callers: readonly SourceMatch[] };
  readonly delay?: Delay;
  readonly abort?: Abort & Share;
  /** From this instant on nothing is injected. `null`: until it is removed (Istio's VirtualService). */
  readonly expiresAt: Millis | null;
}

interface Share {
  /** Share of requests, 0..1. */
  readonly share: number;
}

/** A pause before the request is sent on: `fixedMs` and up to `jitterMs` more, evenly spread. */
export interface Delay extends Share {
  readonly fixedMs: Millis;
  readonly jitterMs: Millis;
}

/** An answer instead of the service's. */
export interface Abort {
  /** HTTP status, 200..599; for gRPC 200. */
  readonly status: number;
  /** gRPC status, 1..16, for calls that speak it. */
  readonly grpcStatus?: number;
}

/** What is done to one request: first the delay, then the abort. */
export interface Injection {
  readonly delayMs: Millis;
  readonly abort: Abort | null;
  /** The policy of the abort, else of the delay; `null` when neither is done. */
  readonly by: string | null;
}

/** A fault with its matches compiled. Made by `link`; not data that travels. */
export interface LinkedFault {
  readonly fault: Fault;
  readonly headers: readonly { readonly name: string; readonly test: ValueTest }[];
}

/** What an injection depends on besides the request. */
export interface Chance {
  readonly random: Random;
  readonly now: Millis;
}

const NOTHING: Injection = { delayMs: 0, abort: null, by: null };

/** Compiles the matches of faults. Throws when a regular expression is none. */
export function link(faults: readonly Fault[], compilePattern: CompilePattern): readonly LinkedFault[] {
  return faults.map((fault) => ({
    fault,
    headers: fault.match.headers.map((header) => ({
      name: header.name,
      test: compile(header, compilePattern),
    })),
  }));
}

/**
 * Decides what is done to a request. Of several faults that match it, the
 * first delay that is drawn counts and the first abort. One that has expired
 * is never injected, even while its policy is still configured.
 */
export function inject(
  faults: readonly LinkedFault[],
  request: RequestView,
  caller: Caller | null,
  { random, now }: Chance,
): Injection {
  let delaying: Fault | null = null;
  let aborting: Fault | null = null;
  for (const linked of faults) {
    const { fault } = linked;
    if (!isInForce(fault, now) || !matches(linked, request, caller)) continue;
    if (delaying === null && fault.delay !== undefined && random() < fault.delay.share) delaying = fault;
    if (aborting === null && fault.abort !== undefined && random() < fault.abort.share) aborting = fault;
  }
  if (delaying === null && aborting === null) return NOTHING;
  return {
    delayMs: delaying?.delay === undefined ? 0 : delayOf(delaying.delay, random),
    abort: aborting?.abort === undefined ? null : answerOf(aborting.abort),
    by: (aborting ?? delaying)?.policy ?? null,
  };
}

function isInForce({ expiresAt }: Fault, now: Millis): boolean {
  return expiresAt === null || now < expiresAt;
}

function matches({ fault, headers }: LinkedFault, request: RequestView, caller: Caller | null): boolean {
  return (
    headers.every(({ name, test }) => test(request.headers.get(name))) &&
    isFromAny(fault.match.callers, caller)
  );
}

function delayOf({ fixedMs, jitterMs }: Delay, random: Random): Millis {
  return jitterMs === 0 ? fixedMs : fixedMs + Math.floor(random() * jitterMs);
}

function answerOf({ status, grpcStatus }: Abort): Abort {
  return grpcStatus === undefined ? { status } : { status, grpcStatus };
}
