/**
 * The snapshot as a host uses it: units, linked once and replaced whole.
 *
 * @module
 */
import * as fault from "../engine/fault.ts";
import type { LinkedFault } from "../engine/fault.ts";
import * as route from "../engine/route.ts";
import type { CompilePattern } from "../engine/route.ts";
import type {
  InboundPolicy,
  ServiceUnit,
  Unit,
  UnitKey,
  VirtualHostUnit,
  WorkloadUnit,
} from "../engine/snapshot.ts";
import type { Random } from "../engine/time.ts";
import type { SyncAnswer } from "../wire/registry-rpc.ts";
import { linkDirectory } from "./directory.ts";
import type { LinkedDirectory } from "./directory.ts";
import { linkPools } from "./pool.ts";
import type { Pools } from "./pool.ts";
import { quiet, retain, welcome } from "./traffic.ts";
import type { Traffic } from "./traffic.ts";
import { flawOf } from "./unit-check.ts";

export interface LinkedRoutes {
  readonly port: number | null;
  readonly consumerNamespace: string | null;
  readonly table: route.RouteTable;
}

export interface LinkedService {
  readonly kind: "service";
  /** `namespace/name`. */
  readonly id: string;
  readonly unit: ServiceUnit;
  readonly routes: readonly LinkedRoutes[];
  readonly traffic: Traffic;
  readonly pools: Pools;
  /** What goes wrong on purpose, one list for each of the unit's inbound policies. */
  readonly faults: readonly (readonly LinkedFault[])[];
}

export interface LinkedHost {
  readonly kind: "virtual-host";
  readonly unit: VirtualHostUnit;
  readonly table: route.RouteTable;
}

export interface LinkedWorkload {
  readonly kind: "workload";
  readonly unit: WorkloadUnit;
  readonly faults: readonly LinkedFault[];
}

export type Linked = LinkedDirectory | LinkedHost | LinkedService | LinkedWorkload;

export interface View {
  /** 0: nothing was ever loaded. */
  readonly version: number;
  readonly units: ReadonlyMap<UnitKey, Linked>;
  /** Units that do not exist, as of `version`: the registry tells when they do. Bounded: names come from clients. */
  readonly missing: ReadonlySet<UnitKey>;
}

/** The view of a host that has loaded nothing. */
export const BLANK: View = { version: 0, units: new Map(), missing: new Set() };

/** Each is named in every question to the registry, so that it tells when they exist. */
const MAX_MISSING = 250;

/** What linking needs of the host. */
export interface Linking {
  readonly random: Random;
  readonly compilePattern: CompilePattern;
}

export type Swap =
  | { readonly kind: "swapped"; readonly view: View }
  /** `why` is for the operator's log. */
  | { readonly kind: "refused"; readonly why: string };

/** Whether the view has an answer for a unit: the unit, or that there is none. */
export function knows(view: View, key: UnitKey): boolean {
  return view.units.has(key) || view.missing.has(key);
}

/** Whether one view knows all that another does, so that what is told of the one holds for the other. */
export function covers(view: View, other: View): boolean {
  if (view === other) return true;
  for (const key of other.units.keys()) if (!knows(view, key)) return false;
  for (const key of other.missing) if (!knows(view, key)) return false;
  return true;
}

/**
 * Takes in a sync answer, whole or not at all: an older version or a unit
 * that cannot be used refuses it, and the caller keeps the view that it has.
 */
export function swapIn(view: View, answer: SyncAnswer, linking: Linking): Swap {
  if (answer.version < view.version)
    return { kind: "refused", why: `version ${answer.version} is older than ${view.version}` };
  if (answer.version === view.version && answer.units.length === 0 && answer.missing.length === 0)
    return { kind: "swapped", view };
  const units = new Map(view.units);
  for (const key of answer.missing) units.delete(key);
  for (const [key, unit] of answer.units) {
    const linked = link(unit, view.units.get(key), linking);
    if (typeof linked === "string") return { kind: "refused", why: `${key}: ${linked}` };
    units.set(key, linked);
  }
  return { kind: "swapped", view: { version: answer.version, units, missing: missingAfter(view, answer) } };
}

/**
 * Takes in units from the registry's store, as they were at `answer.version`
 * or later: what the view knows of the registry itself is newer and stays.
 * The view is then as old as the oldest of both, so that the registry tells
 * what has changed since.
 */
export function fillIn(view: View, answer: SyncAnswer, linking: Linking): Swap {
  const fresh = {
    units: answer.units.filter(([key]) => !knows(view, key)),
    missing: answer.missing.filter((key) => !knows(view, key)),
  };
  if (fresh.units.length === 0 && fresh.missing.length === 0) return { kind: "swapped", view };
  const version = view.version === 0 ? answer.version : Math.min(view.version, answer.version);
  return swapIn({ ...view, version }, { version, ...fresh }, linking);
}

function missingAfter(view: View, answer: SyncAnswer): ReadonlySet<UnitKey> {
  const missing = new Set(view.missing);
  for (const [key] of answer.units) missing.delete(key);
  for (const key of answer.missing) missing.add(key);
  for (const oldest of missing) {
    if (missing.size <= MAX_MISSING) break;
    missing.delete(oldest);
  }
  return missing;
}

/** Links a unit; a text says why it cannot be used. */
function link(unit: Unit, previous: Linked | undefined, linking: Linking): Linked | string {
  const flaw = flawOf(unit);
  if (flaw !== null) return flaw;
  try {
    return linkUnit(unit, previous, linking);
  } catch (error) {
    // An index that cannot be built is a malformed unit: reported as such, and last-good stays.
    return String(error);
  }
}

function linkUnit(unit: Unit, previous: Linked | undefined, linking: Linking): Linked {
  switch (unit.kind) {
    case "directory":
      return linkDirectory(unit);
    case "virtual-host":
      return { kind: "virtual-host", unit, table: route.index(unit.routes, linking.compilePattern) };
    case "service":
      return linkService(unit, previous, linking);
    case "workload":
      return { kind: "workload", unit, faults: faultsOf(unit.inbound, linking) };
  }
}

function linkService(unit: ServiceUnit, previous: Linked | undefined, linking: Linking): LinkedService {
  const traffic = previous?.kind === "service" ? previous.traffic : quiet(linking.random);
  if (previous?.kind === "service") welcome(traffic, previous.unit, unit);
  retain(traffic, unit);
  return {
    kind: "service",
    id: `${unit.namespace}/${unit.name}`,
    unit,
    routes: unit.routes.map(({ port, consumerNamespace, routes }) => ({
      port,
      consumerNamespace,
      table: route.index(routes, linking.compilePattern),
    })),
    traffic,
    pools: linkPools(unit, traffic, linking.random),
    faults: unit.inbound.map((policy) => faultsOf(policy, linking)),
  };
}

function faultsOf({ faults }: InboundPolicy, { compilePattern }: Linking): readonly LinkedFault[] {
  return fault.link(faults ?? [], compilePattern);
}
