/** A host of the mesh in virtual time, with a registry in memory: what unit tests drive the loop with. */
import { setImmediate } from "node:timers/promises";
import type { Endpoint } from "../../shared/engine/endpoint.ts";
import type { Locality } from "../../shared/engine/locality.ts";
import type { Unit, UnitKey } from "../../shared/engine/snapshot.ts";
import type { Control, Destination, Limiter, Ports, Way } from "../../shared/forward/ports.ts";
import { createState } from "../../shared/forward/state.ts";
import type { Mesh } from "../../shared/forward/state.ts";
import type { CallReport } from "../../shared/wire/call-record.ts";
import { succeed } from "../../shared/wire/problem.ts";
import type { SyncAnswer, SyncRequest } from "../../shared/wire/registry-rpc.ts";
import type {
  CircuitReport,
  LeaseRequest,
  OutcomeReport,
  SpendRequest,
  TakeRequest,
} from "../../shared/wire/rpc.ts";
import { compilePattern } from "../../shared/wire/pattern.ts";
import { seeded } from "../engine/random.ts";

export const START = Date.UTC(2026, 10, 24, 12);

export type Send = (endpoint: Endpoint, request: Request, destination: Destination) => Promise<Response>;

/** What happened at the control plane, in order. */
export interface Calls {
  readonly syncs: SyncRequest[];
  readonly reports: CallReport[];
  readonly circuits: CircuitReport[];
  readonly outcomes: { readonly service: string; readonly report: OutcomeReport }[];
  readonly probes: string[];
  readonly takes: TakeRequest[];
  readonly leases: LeaseRequest[];
  readonly spendings: SpendRequest[];
  readonly tokens: string[];
}

export interface MeshKit {
  readonly mesh: Mesh;
  readonly calls: Calls;
  readonly lines: Readonly<Record<string, unknown>>[];
  /** Replaced by tests: how the control plane behaves. */
  readonly control: { -readonly [K in keyof Control]: Control[K] };
  now(): number;
  /** Changes units at the registry under a new version; `null` removes one. */
  put(units: Readonly<Record<UnitKey, Unit | null>>): void;
  /** Lets time pass, and everything happen that is due. */
  advance(ms: number): Promise<void>;
  /** Waits for `work`, letting time pass as fast as timers ask for it. */
  run<T>(work: Promise<T> | T): Promise<T>;
}

export interface MeshKitOptions {
  readonly units?: Readonly<Record<UnitKey, Unit>>;
  readonly send?: Send;
  readonly way?: Way;
  readonly enforcesInbound?: boolean;
  readonly outlivesCalls?: boolean;
  /** Rate-limit bindings of the host, by name. */
  readonly limiters?: Readonly<Record<string, Limiter>>;
  readonly locality?: Locality;
  readonly ask?: Ports["ask"];
  readonly trustedHops?: number;
  readonly recordsCalls?: boolean;
  readonly departure?: AbortSignal;
  /** What stays open; nothing unless given. */
  readonly hold?: Ports["hold"];
  /** Time and a registry that several hosts share; of their own unless given. */
  readonly world?: World;
  readonly seed?: number;
}

/** What hosts of one mesh share. */
export interface World {
  readonly clock: Clock;
  readonly registry: Registry;
}

interface Timer {
  readonly at: number;
  readonly act: () => void;
}

/** Turns of the event loop after which everything that needs no timer has happened. */
const TURNS = 8;

async function quiesce(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await setImmediate();
}

export interface Clock {
  now(): number;
  timer(ms: number, act: () => void): () => void;
  next(limit: number): boolean;
}

export interface Registry {
  put: MeshKit["put"];
  sync(request: SyncRequest): Promise<SyncAnswer>;
}

function createClock(): Clock {
  let now = START;
  const timers = new Set<Timer>();
  return {
    now: () => now,
    timer: (ms, act) => {
      const timer = { at: now + ms, act };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    next: (limit) => {
      const [first] = [...timers].filter(({ at }) => at <= limit).sort((a, b) => a.at - b.at);
      if (first !== undefined || limit < Number.POSITIVE_INFINITY) now = Math.max(now, first?.at ?? limit);
      if (first === undefined) return false;
      timers.delete(first);
      first.act();
      return true;
    },
  };
}

/** A registry that answers as the contract says, from a Map. */
function createRegistry(clock: Pick<Clock, "timer">): Registry {
  let version = 1;
  const stored = new Map<UnitKey, { readonly version: number; readonly unit: Unit | null }>();
  const waiting = new Set<() => void>();
  const answer = (request: SyncRequest): SyncAnswer => {
    const changed = request.held.filter((key) => (stored.get(key)?.version ?? 0) > request.version);
    const units: [UnitKey, Unit][] = [];
    const missing: UnitKey[] = [];
    for (const key of [...changed, ...request.wanted]) {
      const unit = stored.get(key)?.unit ?? null;
      if (unit === null) missing.push(key);
      else units.push([key, unit]);
    }
    return { version, units, missing };
  };
  const wait = (request: SyncRequest, ms: number): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (isNews(answer(request))) end();
      };
      const end = (): void => {
        waiting.delete(look);
        cancel();
        resolve();
      };
      const cancel = clock.timer(ms, end);
      waiting.add(look);
    });
  return {
    put: (units) => {
      version += 1;
      for (const [key, unit] of Object.entries(units)) stored.set(key, { version, unit });
      for (const look of waiting) look();
    },
    sync: async (request) => {
      const now = answer(request);
      if (isNews(now) || request.waitMs === undefined) return now;
      await wait(request, request.waitMs);
      return answer(request);
    },
  };
}

/** Time that stands still, and a registry that knows nothing. */
export function createWorld(): World {
  const clock = createClock();
  return { clock, registry: createRegistry(clock) };
}

/** A host that has loaded nothing yet. */
export function meshKit(options: MeshKitOptions = {}): MeshKit {
  const { clock, registry } = options.world ?? createWorld();
  if (options.units !== undefined) registry.put(options.units);
  const calls: Calls = {
    syncs: [],
    reports: [],
    circuits: [],
    outcomes: [],
    probes: [],
    takes: [],
    leases: [],
    spendings: [],
    tokens: [],
  };
  const control = controlOf(calls, registry, clock.now);
  const lines: Record<string, unknown>[] = [];
  const ports: Ports = {
    now: clock.now,
    random: seeded(options.seed ?? 7),
    timer: clock.timer,
    departure: () => options.departure ?? null,
    hold: options.hold ?? (() => null),
    sleep: (ms) => new Promise((resolve) => void clock.timer(ms, resolve)),
    wayTo: () => options.way ?? { origin: null, carriesToken: true },
    send: options.send ?? (() => Promise.resolve(new Response("ok"))),
    defer: (work) => void work,
    log: (line) => lines.push(line),
    patterns: () => Promise.resolve(compilePattern),
    userTokens: () => import("../../shared/identity/user-token.ts"),
    ask: options.ask ?? (() => Promise.reject(new Error("nobody answers"))),
    limiter: (name) => options.limiters?.[name] ?? null,
    locality: () => options.locality ?? null,
    control,
  };
  const { enforcesInbound = true, outlivesCalls = true, trustedHops = 0, recordsCalls = false } = options;
  const settings = { enforcesInbound, logSampleRatio: 0, outlivesCalls, trustedHops, recordsCalls };
  return {
    mesh: { state: createState("reporter-1"), ports, settings },
    calls,
    lines,
    control,
    now: clock.now,
    put: registry.put,
    advance: (ms) => advance(clock, ms),
    run: (work) => run(clock, work),
  };
}

async function advance(clock: Clock, ms: number): Promise<void> {
  const until = clock.now() + ms;
  await quiesce();
  while (clock.next(until)) await quiesce();
}

async function run<T>(clock: Clock, work: Promise<T> | T): Promise<T> {
  const progress = { isDone: false };
  const settled = Promise.resolve(work).finally(() => (progress.isDone = true));
  // Looked at again below; a rejection is not lost.
  settled.catch(() => undefined);
  for (await quiesce(); !progress.isDone; await quiesce()) clock.next(Number.POSITIVE_INFINITY);
  return settled;
}

function controlOf(calls: Calls, registry: Registry, now: () => number): MeshKit["control"] {
  return {
    sync: async (request) => {
      calls.syncs.push(request);
      return registry.sync(request);
    },
    report: async (report) => {
      calls.reports.push(report);
    },
    reportCircuits: async (_service, reports) => {
      calls.circuits.push(...reports);
    },
    claimProbe: async (_service, endpoint) => {
      calls.probes.push(endpoint);
      return true;
    },
    reportOutcomes: async (service, report) => {
      calls.outcomes.push({ service, report });
    },
    take: async (request) => {
      calls.takes.push(request);
      return { isAdmitted: true, remaining: 1, retryAfterMs: 0 };
    },
    lease: async (request) => {
      calls.leases.push(request);
      const from = Math.floor((now() * request.rate.requests) / request.rate.perMs) + 1;
      return { id: "lease", slots: [[from, from + request.ask.calls]], at: now() };
    },
    spend: async (request) => {
      const isSpent = calls.spendings.some(
        ({ audience, id }) => audience === request.audience && id === request.id,
      );
      calls.spendings.push(request);
      return { kind: isSpent ? "replayed" : "spent" };
    },
    token: async (workload, audience) => {
      calls.tokens.push(`${workload} ${audience}`);
      const token = `token-${calls.tokens.length}`;
      return succeed({ token, id: token, subject: workload, expiresAt: now() + 300_000 });
    },
  };
}

function isNews({ units, missing }: SyncAnswer): boolean {
  return units.length + missing.length > 0;
}
