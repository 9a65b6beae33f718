/**
 * What one isolate keeps between calls. Everything in it is a cache: losing
 * the isolate loses nothing but warmth.
 *
 * @module
 */
import type { Controller } from "../engine/overload.ts";
import type { Millis } from "../engine/time.ts";
import { createTokenCache } from "../identity/token-cache.ts";
import type { TokenCache } from "../identity/token-cache.ts";
import { createCertificateCache } from "./client-certificate.ts";
import type { CertificateCache } from "./client-certificate.ts";
import { createUserCache } from "./end-users.ts";
import type { UserCache } from "./end-users.ts";
import { createSnapshot } from "./freshness.ts";
import type { Snapshot } from "./freshness.ts";
import type { KeySet } from "./issuer-keys.ts";
import type { Leasing } from "./limit-leases.ts";
import type { Watched } from "./long-calls.ts";
import { createMeter } from "./meter.ts";
import type { Meter } from "./meter.ts";
import type { HeldToken } from "./peer-token.ts";
import type { Ports } from "./ports.ts";
import { createRecorder } from "./recorder.ts";
import type { Recorder } from "./recorder.ts";
import { createSpentTokens } from "./spend.ts";
import type { SpentTokens } from "./spend.ts";

export interface MeshState {
  /** Names the isolate in reports. */
  readonly reporter: string;
  readonly snapshot: Snapshot;
  /** Local rate limits: bucket name → theoretical arrival time. Bounded by `limits.ts`. */
  readonly buckets: Map<string, Millis>;
  /** Leased rate limits, by the same names. Bounded by `limit-leases.ts`. */
  readonly leases: Map<string, Leasing>;
  /** Rate-limit bindings that policies name and this host does not have: told of once. */
  readonly missingLimiters: Set<string>;
  /** Verified tokens of callers. */
  readonly verdicts: TokenCache;
  /** Verified certificates of callers. */
  readonly certificates: CertificateCache;
  /** Verified tokens of end users. */
  readonly users: UserCache;
  /** Keys of their issuers, by where they are published. Bounded by `issuer-keys.ts`. */
  readonly keySets: Map<string, KeySet>;
  /** Tokens to show to callees. Bounded by `peer-token.ts`. */
  readonly tokens: Map<string, HeldToken>;
  /** Tokens that count once and have. Bounded by `spend.ts`. */
  readonly spent: SpentTokens;
  readonly meter: Meter;
  /** Calls that go along with the meter's reports. */
  readonly recorder: Recorder;
  /** Copies for mirrors on their way. Bounded by `mirrors.ts`. */
  readonly mirrors: Set<Copy>;
  /** Calls that are watched over. Bounded by `long-calls.ts`. */
  readonly longCalls: Set<Watched>;
  /** Of the workload that this host is the inbound half of; `null` before its first call, and where nothing protects it. */
  overload: Controller | null;
}

/** A copy of a call, on its way to a mirror. */
export interface Copy {
  readonly sentAt: Millis;
}

/** Settings of a host that do not come with the snapshot. */
export interface Settings {
  /** Runs the inbound half for the endpoints that it sends to: the edge does, a caller's own library does not. */
  readonly enforcesInbound: boolean;
  /** Share of calls with an access-log line, 0..1. Answers of the mesh itself always have one. */
  readonly logSampleRatio: number;
  /**
   * An invocation goes on after a call of its was answered: a handler's own
   * does, the edge's ends and takes with it whatever it still waits for.
   */
  readonly outlivesCalls: boolean;
  /** Proxies before the platform whose `x-forwarded-for` is believed. */
  readonly trustedHops: number;
  /** Keeps a sample of the calls that the inbound half decides here, for simulations. */
  readonly recordsCalls: boolean;
}

/** The mesh as one call finds it: what the isolate keeps, and the ports of the call's own context. */
export interface Mesh {
  readonly state: MeshState;
  readonly ports: Ports;
  readonly settings: Settings;
}

/** The state of an isolate that has carried nothing yet. */
export function createState(reporter: string): MeshState {
  return {
    reporter,
    snapshot: createSnapshot(),
    buckets: new Map(),
    leases: new Map(),
    missingLimiters: new Set(),
    verdicts: createTokenCache(),
    certificates: createCertificateCache(),
    users: createUserCache(),
    keySets: new Map(),
    tokens: new Map(),
    spent: createSpentTokens(),
    meter: createMeter(),
    recorder: createRecorder(),
    mirrors: new Set(),
    longCalls: new Set(),
    overload: null,
  };
}
